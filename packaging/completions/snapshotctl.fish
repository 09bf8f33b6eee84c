# fish completion for snapshotctl: the program itself says what may follow.
function __snapshotctl_complete
    set -l line (commandline -cp)
    snapshotctl "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
end
complete -c snapshotctl -f -a '(__snapshotctl_complete)'
complete -c snapshotctl -l api-key-file -rF
complete -c snapshotctl -s o -l output -rF

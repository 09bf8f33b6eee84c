# bash completion for snapshotctl: the program itself says what may follow.
_snapshotctl() {
    local IFS=$'\n' found
    found=$(snapshotctl "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)
    # shellcheck disable=SC2207   # a line each
    COMPREPLY=($(compgen -W "$found" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _snapshotctl snapshotctl

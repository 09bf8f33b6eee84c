"""The acceptance: what must hold on a stock host. Each check is a function of the host, with a name; the order counts."""

import dataclasses
import json
import re
import time
from collections.abc import Callable

from guests import MODES, SHAPES, STORE
from machine import Unmet, until
from service import UNIT, WORK


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    run: Callable
    # Runs whatever --only asks for: others build on it.
    always: bool = False
    # For machines of this release only.
    release: int | None = None


def require(condition, text):
    if not condition:
        raise Unmet(text)
    return True


# Install --------------------------------------------------------------------------------------------------------------------------

def confined(host):
    """The host is what it claims: AppArmor enforces, for libvirt's helper too, and each guest has a profile of its own."""
    said = json.loads(host.machine.out("aa-status --json", 120))["profiles"]
    for profile in ("libvirtd", "virt-aa-helper"):
        require(said.get(profile) == "enforce", f"the profile {profile} is {said.get(profile)}")
    for guest in host.guests.values():
        current = host.machine.out(f"cat /proc/$(cat /run/libvirt/qemu/{guest.name}.pid)/attr/current", 60)
        require(current.startswith("libvirt-") and current.endswith("(enforce)"), f"{guest.name} runs as {current}")
    return f"{len(host.guests)} guests"


def install(host):
    """`apt install` of the two packages; nothing else is typed. Then a guest is seen, and an image taken."""
    before = host.machine.out("find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /run \\) -prune -o -print | sort", 300)
    host.files_before = set(before.splitlines())
    started = time.monotonic()
    host.machine.run(f"cd /mnt && apt-get install -y ./{host.packages.service} ./{host.packages.client}", 1200)
    installed = time.monotonic()
    until("snapshotctl sees the guest", lambda: "plain" in host.service.ctl("servers").out, 900, 2)
    seen = time.monotonic()
    host.guests["plain"].snapshot("auto", image="first")
    done = time.monotonic()
    return f"apt {installed - started:.0f} s, guest seen after {seen - installed:.0f} s more, first image after {done - seen:.0f} s more"


def ready(host):
    """Ready, enabled, without a warning of its own in the journal; the service's unit is the one of the package."""
    host.service.wait_until_ready()
    require(host.machine.out(f"systemctl is-enabled {UNIT}", 60) == "enabled", "the unit is not enabled")
    require(host.service.state() == "active", f"the unit is {host.service.state()}")
    restarts = host.machine.out(f"systemctl show -p NRestarts --value {UNIT}", 60)
    require(restarts == "0", f"it was restarted {restarts} times")
    traces = host.machine.out(f"journalctl -u {UNIT} -o cat --no-pager | grep -cE '^ +at |Exception' || true", 120)
    require(traces == "0", f"{traces} lines of the journal are of stack traces")
    return host.machine.out("snapshotctl --version", 120)


def exposure(host):
    """What systemd thinks of the units."""
    node, api = host.service.exposure("snapshotapi.service"), host.service.exposure("snapshotapi-api.service")
    # Root, its capabilities, the network and block devices are that: DECISIONS 105.
    require(node <= 3.0, f"the node's unit has {node}, more than 3.0")
    require(api <= 1.5, f"the API's unit has {api}, more than 1.5")
    return f"{node} and {api}"


# Images ---------------------------------------------------------------------------------------------------------------------------

def images_of(shape, mode):
    def run(host):
        guest = host.guests[shape.name]
        if mode == "backup" and shape.iothread:
            return threaded_backup(host, guest)
        job = guest.snapshot(mode)
        host.service.wait_for_rest()
        return job["capture"]["kind"]
    run.__doc__ = f"{mode} of {shape.name}"
    return run


def threaded_backup(host, guest):
    """Backup by name of a guest with an I/O thread, of which QEMU 7.2 dies: backed up, mirrored or refused with the reason, but alive."""
    found = guest.found()
    answer = host.service.ctl_json(f"snapshot {guest.name} {guest.name}-backup --mode backup --poll", 900)
    until(f"{guest.name} is as it was found", lambda: guest.as_found(found), 120, 3)
    host.service.wait_for_rest()
    if answer.get("status") == "succeeded":
        guest.images_are_right(answer)
        return answer["capture"]["kind"]
    said = answer.get("detail") or json.dumps(answer)
    require(answer.get("code") == "unsupported_request" and "I/O thread" in said, f"the refusal does not name the I/O thread: {said}"[:500])
    return f"refused: {said}"[:160]


def dynamic_ownership(host):
    """With dynamic_ownership=0 libvirt leaves all owners alone; the disks are given to QEMU's user by hand, as an administrator does there."""
    guest = host.guests["plain"]
    host.machine.run(f"""
        cp -a /etc/libvirt/qemu.conf /root/qemu.conf
        echo 'dynamic_ownership = 0' >>/etc/libvirt/qemu.conf
        virsh -q destroy {guest.name}
        systemctl restart libvirtd
        chown libvirt-qemu:libvirt-qemu {guest.shape.path('vda')}
        virsh -q start {guest.name}""", 600)
    try:
        host.service.wait_until_ready()
        return ", ".join(guest.snapshot(mode, image=f"unowned-{mode}")["capture"]["kind"] for mode in MODES)
    finally:
        host.machine.run(f"""
            cp -a /root/qemu.conf /etc/libvirt/qemu.conf
            virsh -q destroy {guest.name}
            systemctl restart libvirtd
            virsh -q start {guest.name}""", 600)
        host.service.wait_until_ready()


def iothread(host):
    """Twenty snapshots of guests with I/O threads, with cancels and resets among them: the same QEMU runs at the end."""
    told, guests = {}, [host.guests["threaded"], host.guests["scsi-threaded"]]
    for n in range(20):
        guest, action = guests[n % 2], ("finish", "cancel", "reset", "finish", "kill")[n // 2 % 5]
        found = guest.found()
        if action == "finish":
            outcome = guest.snapshot("auto", image=f"{guest.name}-{n}")["capture"]["kind"]
        else:
            job = host.service.begin(guest, "auto")
            host.service.wait_for_middle(job)
            if action == "cancel":
                host.service.ctl(f"cancel {job}")
                until("the job is cancelled", lambda: host.service.job(job)["status"] == "cancelled", 300)
            elif action == "reset":
                host.machine.run(f"virsh -q reset {guest.name}", 120)
                host.service.finish(job)
            else:
                host.machine.run(f"systemctl kill -s KILL {UNIT}", 60)
                until("the service is back", lambda: host.service.health() is not None, 600)
                host.service.finish(job)
            outcome = action
        until(f"{guest.name} is as it was found, after {action} ({n})", lambda: guest.as_found(found), 300, 3)
        told[outcome] = told.get(outcome, 0) + 1
    host.service.wait_for_rest()
    return ", ".join(f"{count} {outcome}" for outcome, count in told.items())


# When the copies of a mirror are given up, one disk after the other, QEMU opens each once more to read. libvirt 11 has by then taken all of
# them out of the profile, with the first. The instant is over, and the copy is no longer QEMU's.
GIVEN_UP = re.compile(r'operation="open" .* name="[^"]*/run/[0-9a-f]{32}/[0-9]+\.mirror" .* requested_mask="r" denied_mask="r"')


def denied(host):
    """AppArmor has denied nobody what a snapshot needs."""
    lines = [line for line in host.denials() if not GIVEN_UP.search(line)]
    require(not lines, f"{len(lines)} denials: {'; '.join(lines[:4])}")
    return "none"


# What interrupts ------------------------------------------------------------------------------------------------------------------

MIDDLE = {"plain": "backup", "two": "mirror", "scsi": "cold"}


def interrupted(strike):
    """Three jobs in their middle - a backup, a mirror, a cold one - are struck at once: guests as found, and the jobs end well."""
    def run(host):
        host.service.wait_until_ready()
        guests = {host.guests[name]: mode for name, mode in MIDDLE.items()}
        found = {guest: guest.found() for guest in guests}
        jobs = {guest: host.service.begin(guest, mode) for guest, mode in guests.items()}
        for job in jobs.values():
            host.service.wait_for_middle(job)
        strike(host, found)
        until("the service answers", lambda: host.service.health() is not None, 900)
        attempts = []
        for guest, job in jobs.items():
            done = host.service.finish(job)
            guest.images_are_right(done)
            attempts.append(done["attempts"])
        for guest, mode in guests.items():
            until(f"{guest.name} is as it was found", lambda: guest.as_found(found[guest], mode == "cold"), 300, 3)
        host.service.wait_for_rest()
        host.service.wait_until_ready()
        return f"attempts {attempts}"
    run.__doc__ = strike.__doc__
    return run


def stopped(host, found):
    """systemctl stop in mid-job: it undoes before it ends."""
    host.machine.run(f"systemctl stop {UNIT}", 600)
    for guest in found:
        guest.as_found(found[guest], MIDDLE[guest.name] == "cold")
    result = host.machine.out(f"systemctl show -p Result --value {UNIT}", 60)
    require(result == "success", f"the unit's result is {result}")
    host.machine.run(f"systemctl start {UNIT}", 600)


def killed(host, found):
    """kill -9 in mid-job: systemd starts it again, and it undoes what was left."""
    host.machine.run(f"systemctl kill -s KILL {UNIT}", 60)


def upgraded(host, found):
    """apt installs a new version in mid-job."""
    host.machine.run(f"cd /mnt && apt-get install -y ./{host.packages.service} ./{host.packages.client}", 1200)
    for guest in found:
        until(f"{guest.name} is as it was found", lambda: guest.as_found(found[guest], MIDDLE[guest.name] == "cold"), 600, 3)


def upgrade(host):
    """From the previous version, with its data, in mid-job."""
    host.machine.run(f"cd /mnt && apt-get install -y --allow-downgrades ./{host.packages.former}", 1200)
    host.service.wait_until_ready()
    images = host.machine.out("snapshotctl images --json | jq length", 120)
    told = interrupted(upgraded)(host)
    now = host.machine.out("snapshotctl images --json | jq length", 120)
    require(int(now) >= int(images), f"of {images} images {now} are left")
    version = host.machine.out("dpkg-query -W -f '${Version}' snapshotapi", 60)
    require(version == host.packages.version, f"the version is {version}")
    return told


def reboot(host):
    """The host reboots: the service is up by itself, and the next snapshot works."""
    for guest in host.guests.values():
        host.machine.run(f"virsh -q autostart {guest.name}", 60)
    host.machine.reboot()
    host.service.wait_until_ready(1200)
    guest = host.guests["plain"]
    until("the guest runs", lambda: guest.found()[0][0].startswith("running"), 300, 3)
    return guest.snapshot("auto", image="after-reboot")["capture"]["kind"]


# Broken hosts ---------------------------------------------------------------------------------------------------------------------

def broken(break_it, mend_it, words):
    """A check of the node says what is wrong in words that name it; no guest was touched; mended, all is well again."""
    def run(host):
        found = {guest: guest.found() for guest in host.guests.values()}
        host.machine.run(break_it, 300)
        try:
            host.service.ctl("node check --poll", 900, check=False)
            said = json.dumps(host.service.node(), ensure_ascii=False) + json.dumps(host.service.health(), ensure_ascii=False)
            require(any(word.lower() in said.lower() for word in words), f"none of {words} in: {said}"[:900])
            for guest in found:
                guest.as_found(found[guest])
        finally:
            host.machine.run(mend_it, 300)
            host.service.ctl("node check --poll", 900, check=False)
        host.service.wait_until_ready()
        return next(word for word in words if word.lower() in said.lower())
    return run


# The socket of a backup may not be bound: for guests that start from now on.
DENY = """
if [ -d /etc/apparmor.d/abstractions/libvirt-qemu.d ]; then rules=/etc/apparmor.d/abstractions/libvirt-qemu.d/zz-deny
else mkdir -p /etc/apparmor.d/local/abstractions; rules=/etc/apparmor.d/local/abstractions/libvirt-qemu; fi
[ ! -e $rules ] || cp -a $rules /root/rules; echo $rules >/root/rules.path
echo '  deny /var/lib/libvirt/qemu/domain-*/sa* rw,' >>$rules"""
ALLOW = """
rules=$(cat /root/rules.path); rm -f $rules; [ ! -e /root/rules ] || mv /root/rules $rules"""


def denied_socket(host):
    """A profile denies the socket on purpose: backup is said to be off, and auto takes another capture."""
    told = broken(DENY, ALLOW, ("Permission denied", "Failed to bind"))(host)
    return told


# Strangers ------------------------------------------------------------------------------------------------------------------------

SOCKET = "/run/snapshotapi/api.sock"
TCP = "http://127.0.0.1:5080"


def status_of(host, user, arguments):
    return host.machine.run(f"curl -s -o /dev/null -m 60 -w '%{{http_code}}' {arguments}", 120, user=user, check=False)


def stranger(host):
    """Another user of the host gets nothing: not from the socket, not by TCP, not from a file."""
    host.machine.run("id alice >/dev/null 2>&1 || useradd -m -s /bin/bash alice", 60)
    answer = status_of(host, "alice", f"--unix-socket {SOCKET} http://localhost/servers")
    require(answer.out in ("000", "401", "403"), f"the socket answers alice with {answer.out}")
    for path in ("servers", "jobs", "swagger", "hangfire", "v2.1"):
        answer = status_of(host, "alice", f"{TCP}/{path}")
        require(answer.out in ("401", "403", "404"), f"{path} answers alice with {answer.out}")
    answer = status_of(host, "alice", f"{TCP}/servers")
    require(answer.out == "401", f"/servers answers alice with {answer.out}")
    readable = host.machine.out(f"""
        find /etc/snapshotapi {WORK} /run/snapshotapi {STORE} -type f -readable 2>/dev/null
        find /run/snapshotapi -type s -writable 2>/dev/null
        ls {WORK} 2>/dev/null; true""", 120, user="alice")
    require(not readable, f"alice can read {readable.split()}")
    said = host.service.ctl("servers", user="alice", check=False)
    require(said.status != 0 and "group" in said.said, f"snapshotctl says to alice: {said.status}: {said.said}")
    return said.said.splitlines()[0][:160]


def member(host):
    """A member of the group works, with nothing but the group."""
    host.machine.run("id bob >/dev/null 2>&1 || useradd -m -s /bin/bash -G snapshotapi bob", 60)
    require("plain" in host.machine.out("snapshotctl servers", 120, user="bob"), "bob does not see the guest")
    return "servers"


def key(host):
    """The key that the first start wrote opens TCP; root alone reads it."""
    owner = host.machine.out("stat -c '%U %a' /etc/snapshotapi/admin.key", 60)
    require(owner == "root 600", f"the key is {owner}")
    answer = host.machine.out(f"snapshotctl servers --url {TCP} --api-key-file /etc/snapshotapi/admin.key", 120)
    require("plain" in answer, f"the key does not open TCP: {answer}")
    return "root 600"


def foreign_page(host):
    """A page of another origin, whose name leads here, gets nothing; not even with the key."""
    for extra in ("", "-H \"Authorization: Bearer $(cat /etc/snapshotapi/admin.key)\" -H \"X-Api-Key: $(cat /etc/snapshotapi/admin.key)\""):
        answer = host.machine.run(f"curl -s -m 60 -w '%{{http_code}}' -H 'Host: evil.example' -H 'Origin: http://evil.example' {extra} {TCP}/servers", 120)
        require(answer.out.endswith("400"), f"a foreign page gets {answer.out[-3:]}")
        require("plain" not in answer.out, "a foreign page sees the guest")
    return "400"


# Away -----------------------------------------------------------------------------------------------------------------------------

def remove(host):
    """apt remove: the guests run on, images and settings stay."""
    found = {guest: guest.found() for guest in host.guests.values()}
    host.images = host.machine.out(f"ls {STORE}/*.qcow2", 60).split()
    host.machine.run("apt-get remove -y snapshotapi snapshotctl", 600)
    for guest in found:
        guest.as_found(found[guest])
    left = host.machine.out("pgrep -x snapshotapi; ps -C qemu-nbd,qemu-img -o args=; ls /run/snapshotapi 2>/dev/null; true", 60)
    require(not left, f"left: {left}")
    host.machine.run("test -e /etc/snapshotapi/snapshotapi.conf", 60)
    require(host.machine.out(f"ls {STORE}/*.qcow2", 60).split() == host.images, "images are gone")
    return f"{len(host.images)} images stay"


# What comes and goes beside us: logs, caches, the state of packages and of the machine itself, what guests and checks have made.
PASSING = ("/var/log/", "/var/cache/", "/var/lib/apt/", "/var/lib/dpkg/", "/var/lib/postgresql/", "/var/lib/libvirt/", "/var/lib/systemd/",
           "/root/", "/home/", "/etc/libvirt/", "/etc/apparmor.d/libvirt/", "/var/tmp/", "/var/spool/", "/var/mail/", "/etc/.pwd.lock", "/mnt/", "/tmp/", "/lost+found",
           "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/var/lib/ucf/", "/var/backups/", "/etc/ssl/certs")


def purge(host):
    """apt purge: nothing of ours is left but the images."""
    host.machine.run("apt-get purge -y snapshotapi snapshotctl && apt-get autoremove --purge -y", 600)
    require(host.machine.out(f"ls {STORE}/*.qcow2", 60).split() == host.images, "images are gone")
    now = host.machine.out("find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /run \\) -prune -o -print | sort", 300)
    new = [path for path in now.splitlines() if path not in host.files_before and not path.startswith(PASSING)
           and path not in (WORK, STORE) and not path.startswith(STORE + "/")]
    require(not new, f"left: {' '.join(new[:12])}")
    left = host.machine.out("""
        getent passwd snapshotapi; getent group snapshotapi
        cd / && runuser -u postgres -- psql -Atc "SELECT 'database ' || datname FROM pg_database WHERE datname ~ 'snapshot'
            UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname ~ 'snapshot'"
        grep -ls snapshotapi /etc/postgresql/*/main/*.conf /etc/postgresql/*/main/conf.d/* 2>/dev/null
        grep -rls snapshotapi /etc/apparmor.d 2>/dev/null
        aa-status | grep -i snapshot; pgrep -a snapshot; ls -d /run/snapshotapi* 2>/dev/null
        systemctl list-unit-files --no-legend 'snapshot*'; systemctl list-units --all --no-legend 'snapshot*'; true""", 120)
    require(not left, f"left: {left}")
    for guest in host.guests.values():
        require(guest.found()[0][0].startswith("running"), f"{guest.name} does not run")
    return "images only"


CHECKS = (
    Check("install", install, always=True),
    Check("ready", ready),
    Check("exposure", exposure),
    *(Check(f"image/{shape.name}/{mode}", images_of(shape, mode)) for shape in SHAPES for mode in MODES),
    Check("image/dynamic-ownership-0", dynamic_ownership),
    Check("confined", confined),
    Check("denied", denied),
    Check("stranger", stranger),
    Check("member", member),
    Check("key", key),
    Check("foreign-page", foreign_page),
    Check("stop", interrupted(stopped)),
    Check("kill", interrupted(killed)),
    Check("upgrade", upgrade),
    Check("reboot", reboot),
    Check("iothread", iothread),
    Check("denied-again", denied),
    Check("broken/socket-denied", denied_socket),
    Check("broken/no-qemu-nbd", broken("mv /usr/bin/qemu-nbd /usr/bin/qemu-nbd.away", "mv /usr/bin/qemu-nbd.away /usr/bin/qemu-nbd", ("qemu-nbd",))),
    # QEMU wants a gibibyte of addresses for its translations; libvirtd, which starts it, has what it needs.
    Check("broken/no-memory", broken("prlimit --pid $(pidof libvirtd) --as=$((1200 << 20)):", "prlimit --pid $(pidof libvirtd) --as=unlimited:",
                                     ("Cannot allocate memory", "not enough memory"))),
    Check("remove", remove),
    Check("purge", purge),
)

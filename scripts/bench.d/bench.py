#!/usr/bin/python3
"""The driver of scripts/bench: makes guests, runs ours and its peers in turn, prints tables. See `scripts/bench --help`."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

import libvirt

from cells import CELLS, SIZES
from peers import Backup, convert
from probes import Costs
from service import Guest, NullService, Service, free_port
from store import Store

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WRITER_RATE = "4M"
# Ours is a service that runs for months; what its runtime compiles during the first snapshots of a process is not compared. It compiles a
# method for good when it was called thirty times, and many are called once a snapshot; beside 5 GiB that is nothing.
WARM_UPS = {"2G": 35, "20G": 2}
MIB = 1 << 20


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options):
        self.options = options
        self.lab = os.environ["SNAPSHOTAPI_LAB"]
        self.connection = libvirt.open("qemu:///system")
        self.results = []
        self.sink = None
        self.made = None  # (what it was made of, guest): cells that want the same guest share it

    def lab_command(self, *arguments):
        subprocess.run([os.path.join(SCRIPTS, "lab"), *arguments], check=True, stdout=subprocess.DEVNULL)

    # Guests ------------------------------------------------------------------------------------------------------

    def guest_for(self, cell, size, state):
        kind = (size, state, cell.guest, cell.fill)
        if self.made is None or self.made[0] != kind:
            self.remove_guest()
            self.made = (kind, self.make_guest(cell, size, state))
        return self.made[1]

    def make_reference(self, guest, state):
        """The bytes to be sent are those of the guest as it is now: one that writes has more of them from run to run."""
        if state == "writing" or not os.path.exists(guest.reference):
            with Backup(guest, self.directory_for_qemu("reference")) as backup:
                convert(["-f", "raw", backup.uri], guest.reference)

    def make_guest(self, cell, size, state):
        disk, data = SIZES[size]
        name = f"bench-{size.lower()}-{state}"
        writer = ("--writer", WRITER_RATE) if state == "writing" else ()
        self.lab_command("guest", name, "--disk-size", disk, "--data", data, "--no-zeros", "--timeout", "1200", *cell.guest, *writer)
        guest = Guest(self.connection, self.lab, name)
        if cell.fill:
            self.fill(guest, cell.fill)
        return guest

    def fill(self, guest, mebibytes):
        """Writes into the guest's file system, and so into the top layer."""
        run = {"execute": "guest-exec", "arguments": {
            "path": "/bin/dd", "arg": ["if=/dev/urandom", "of=/mnt/vda/fill", "bs=1M", f"count={mebibytes}", "conv=fsync"]}}
        pid = self.agent(guest, run)["pid"]
        while not self.agent(guest, {"execute": "guest-exec-status", "arguments": {"pid": pid}})["exited"]:
            time.sleep(1)

    def agent(self, guest, command):
        # The agent of a guest that writes a gigabyte on an emulated processor may need more than libvirt's five seconds.
        answer = subprocess.run(
            ["virsh", "-q", "-c", "qemu:///system", "qemu-agent-command", "--timeout", "120", guest.name, json.dumps(command)],
            check=True, capture_output=True)
        return json.loads(answer.stdout)["return"]

    def remove_guest(self):
        if self.made is not None:
            _, guest = self.made
            self.made = None
            self.remove(guest)

    def remove(self, guest):
        self.lab_command("guest", guest.name, "--remove")
        if os.path.exists(guest.reference):
            os.unlink(guest.reference)

    def directory_for_qemu(self, name):
        directory = os.path.join(self.lab, "peers", name)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        os.chmod(os.path.dirname(directory), 0o711)
        os.chmod(directory, 0o777)
        return directory

    # Places to send to -------------------------------------------------------------------------------------------

    def store_for(self, kind):
        if kind is None:
            return None
        if kind == "glance":
            return Store(kind, os.environ["Stores__Glance__Endpoint"])
        if self.sink is None:
            port = free_port()
            self.sink_process = subprocess.Popen(
                ["/usr/bin/python3", os.path.join(SCRIPTS, "bench.d", "sink.py"), str(port)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
            with open(os.path.join(self.lab, "run", "bench-sink.pid"), "w") as file:
                file.write(f"{self.sink_process.pid} python3\n")
            self.sink_process.stdout.readline()
            self.sink = f"http://127.0.0.1:{port}"
        return Store(kind, self.sink)

    def service_for(self, cell):
        if cell.name == "null":
            return NullService(self.lab, self.options.null_binary)
        return Service(self.lab, self.options.binary, cell.name, None if cell.store is None else self.store_for(cell.store).endpoint)

    # Runs --------------------------------------------------------------------------------------------------------

    def run_cell(self, cell, size, state):
        runs = self.options.runs or (5 if size == "2G" else 3)
        say(f"{cell.name}, {size}, guest {state}: {', '.join(cell.tools)}; {runs} runs of each")
        guest = self.guest_for(cell, size, state)
        service = self.service_for(cell)
        try:
            service.wait_until_known(guest)
            for _ in range(WARM_UPS[size]):
                self.run_ours(cell, "ours", service, guest)
            figures = {tool: [] for tool in cell.tools}
            names = list(cell.tools)
            for number in range(runs):
                for tool in names[number % len(names):] + names[:number % len(names)]:
                    if tool == "same bytes":
                        self.make_reference(guest, state)
                    guest.wait_for_heartbeat()
                    os.sync()
                    run = self.run_peer if cell.tools[tool] else self.run_ours
                    one = run(cell, tool, service, guest)
                    figures[tool].append(one)
                    say(f"  {tool:26} {one[cell.measure]:7.2f} s")
            self.results.append({"cell": cell.name, "size": size, "guest": state, "measure": cell.measure, "runs": figures})
            self.print_table(cell, size, state, figures)
        finally:
            service.stop()

    def run_ours(self, cell, tool, service, guest):
        request = dict(cell.request)
        if tool == "ours, sending":
            request["sink"] = self.store_for(cell.store).endpoint
        with Costs(guest, [service.work], service.process.pid) as costs:
            figures = service.snapshot(guest, **request)
        figures.update(costs.figures)
        if "image" in figures:
            service.delete(figures["image"])
        return figures

    def run_peer(self, cell, tool, service, guest):
        directory = self.directory_for_qemu("run")
        store = self.store_for(cell.store)
        with Costs(guest, [directory]) as costs:
            figures = cell.tools[tool](guest, store, directory)
        figures.update(costs.figures)
        if "image" in figures:
            store.delete(figures["image"])
        # QEMU may be taking its socket away just now.
        shutil.rmtree(directory, ignore_errors=True)
        return figures

    def run_memory(self):
        """Four captures at once: the most that the service's process ever had in memory."""
        say("memory: four captures at once into the directory store")
        guests = [Guest(self.connection, self.lab, f"bench-memory-{number}") for number in range(4)]
        for guest in guests:
            self.lab_command("guest", guest.name, "--disk-size", "2G", "--data", "400M", "--no-zeros", "--timeout", "1200", "--memory", "160M")
        service = Service(self.lab, self.options.binary, "memory")
        try:
            for request in ({}, {"compression": "zstd"}, {"mode": "mirror"}):
                for guest in guests:
                    service.wait_until_known(guest)
                jobs = [service.submit(guest, **request) for guest in guests]
                for job in jobs:
                    service.wait(job)
            resident = service.resident_bytes()
        finally:
            service.stop()
            for guest in guests:
                self.remove(guest)
        self.results.append({"cell": "memory", "resident_bytes": resident})
        print(f"\nmemory: {resident // MIB} MiB resident at most, four captures at once, three times (limit 250)")

    # Tables ------------------------------------------------------------------------------------------------------

    def print_table(self, cell, size, state, figures):
        what = "guest down" if cell.measure == "down" else "request to stored"
        print(f"\n{cell.name}, disk {SIZES[size][0]} with {SIZES[size][1]} of data, guest {state}: {what}")
        print(f"  {'':26} {'median':>8} {'min - max':>15} {'ours/it':>8} {'stall':>7} {'write gap':>9} {'written':>9} {'extra':>9} {'CPU':>7}")
        for tool, runs in figures.items():
            ours = median(figures[cell.ours.get(tool, "ours")], cell.measure)
            values = [run[cell.measure] for run in runs]
            print(f"  {tool:26} {statistics.median(values):7.2f}s {f'{min(values):.2f} - {max(values):.2f}':>15}"
                  f" {'' if cell.tools[tool] is None else f'{ours / statistics.median(values):.2f}':>8}"
                  f" {median(runs, 'stall'):6.2f}s {median(runs, 'write_gap'):8.2f}s"
                  f" {median(runs, 'written') / MIB:5.0f} MiB {median(runs, 'peak') / MIB:5.0f} MiB {median(runs, 'processor'):6.2f}s")
        if cell.measure == "down":
            for tool, runs in figures.items():
                if "save" in runs[0]:
                    print(f"  {tool:26} save {median(runs, 'save'):.2f} s, copy {median(runs, 'copy'):.2f} s, restore {median(runs, 'restore'):.2f} s")
        if all("size" in runs[0] for runs in figures.values()):
            print("  sizes: " + ", ".join(f"{tool} {median(runs, 'size') / MIB:.0f} MiB" for tool, runs in figures.items()))
        sys.stdout.flush()

    def print_targets(self):
        rows, checks = [], []
        for result in self.results:
            cell = next((c for c in CELLS if c.name == result["cell"]), None)
            if cell is None:
                continue
            runs, where = result["runs"], f"{cell.name}, {result['size']}, {result['guest']}"
            for (peer, size), (ratio, extra) in cell.limits.items():
                if size == result["size"]:
                    ours = median(runs[cell.ours.get(peer, "ours")], cell.measure)
                    theirs = median(runs[peer], cell.measure)
                    rows.append((where, peer, ours, theirs, ratio, extra, ours <= ratio * theirs + extra))
            checks += [(where, check, check.value(runs)) for check in cell.checks]
        if rows:
            print(f"\n{'':30} {'against':26} {'ours':>8} {'theirs':>8} {'ratio':>6}  limit")
        for where, peer, ours, theirs, ratio, extra, met in rows:
            limit = f"{ratio:.2f}" + (f" + {extra:.1f} s" if extra else "")
            print(f"{where:30} {peer:26} {ours:7.2f}s {theirs:7.2f}s {ours / theirs:6.2f}  {limit:14} {'met' if met else 'MISSED'}")
        for where, check, value in checks:
            print(f"{where:30} {check.name:44} {value:6.2f}  {f'{check.limit:g} {check.unit}':14} {'met' if value <= check.limit else 'MISSED'}")
        return all(row[-1] for row in rows) and all(value <= check.limit for _, check, value in checks)

    def run(self):
        try:
            for size in self.options.size:
                for state in self.options.guest:
                    for cell in CELLS:
                        if cell.name in self.options.into:
                            self.run_cell(cell, size, state)
            self.remove_guest()
            if "memory" in self.options.into:
                self.run_memory()
        finally:
            self.remove_guest()
            if self.sink is not None:
                self.sink_process.terminate()
                self.sink_process.wait()
            met = self.print_targets()
            if self.options.json:
                with open(self.options.json, "w") as file:
                    json.dump({"machine": machine(), "results": self.results}, file, indent=1)
        return met


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "date": time.strftime("%Y-%m-%d")}


def main():
    parser = argparse.ArgumentParser(add_help=False)
    everything = [cell.name for cell in CELLS] + ["memory"]
    parser.add_argument("--binary", required=True)
    parser.add_argument("--null-binary", required=True)
    parser.add_argument("--into", action="append", choices=everything)
    parser.add_argument("--size", action="append", choices=list(SIZES))
    parser.add_argument("--guest", action="append", choices=["idle", "writing"])
    parser.add_argument("--runs", type=int)
    parser.add_argument("--json")
    options = parser.parse_args()
    options.into = options.into or everything
    options.size = options.size or list(SIZES)
    options.guest = options.guest or ["idle", "writing"]
    if not Bench(options).run():
        sys.exit(1)


if __name__ == "__main__":
    main()

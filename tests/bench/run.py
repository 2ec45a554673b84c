"""`make bench`: Surehook beside its floor, in one run on this machine, as one table.

The floor (floor.c) is the smallest honest program on the same libraries. Both are driven by the same
load generator and sink. Saturation is closed loop and counts until the last delivery arrived; latency
is open loop, from the moment at which an event was due to be sent. Ratios carry over to other
machines, absolute rates do not; and because a shared machine is faster in one minute than in the next,
floor and Surehook take turns, and the median round of each is shown.

    run.py BUILD-DIR [--quick] [--messages N]
"""

import argparse
import atexit
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Sink:
    def __init__(self, build, work):
        port_file = os.path.join(work, "sink.port")
        self.process = subprocess.Popen([os.path.join(build, "bench/sink"), port_file],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while not (os.path.exists(port_file) and open(port_file).read().endswith("\n")):
            if self.process.poll() is not None:
                sys.exit("the sink did not start")
        self.port = int(open(port_file).read())

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def wait_for(self, count, patience=120):
        """Returns once `count` deliveries arrived since the reset."""
        end = time.monotonic() + patience
        while True:
            report = self.ask("report")
            if report["count"] >= count:
                return report
            if time.monotonic() > end:
                sys.exit(f"only {report['count']} of {count} deliveries arrived")
            time.sleep(0.02)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Server:
    """A process under test: the floor or Surehook."""

    def __init__(self, argv, environment=None):
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        atexit.register(self.process.kill)  # a run that fails leaves none behind
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            sys.exit(f"{argv[0]} did not start")
        self.address = line.split("//")[1].strip()

    def cpu_by_thread(self):
        """Microseconds of CPU by thread name."""
        used = {}
        task = f"/proc/{self.process.pid}/task"
        for thread in os.listdir(task):
            name = open(f"{task}/{thread}/comm").read().strip().rstrip("0123456789-")
            nanoseconds = int(open(f"{task}/{thread}/schedstat").read().split()[0])
            used[name] = used.get(name, 0) + nanoseconds / 1000
        return used

    def written(self):
        """Bytes given to write calls; sockets use others. (write_bytes would count whole folios of the
        page cache for each page of the store that changes.)"""
        for line in open(f"/proc/{self.process.pid}/io"):
            if line.startswith("wchar"):
                return int(line.split()[1])
        return 0

    def anonymous_kib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("RssAnon"):
                return int(line.split()[1])
        return 0

    def settle(self, patience=120):
        """Returns when it has no work of its own left that would cost another subject time."""
        end, before = time.monotonic() + patience, None
        while before is None or sum(self.cpu_by_thread().values()) - before > 3000:
            if time.monotonic() > end:
                sys.exit(f"{self.process.args[0]} is never idle: {self.cpu_by_thread()}")
            before = sum(self.cpu_by_thread().values())
            time.sleep(0.15)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Surehook(Server):
    def __init__(self, build, data, *options):
        super().__init__([os.path.join(build, "surehook"), "serve", "--listen", "127.0.0.1:0", "--data", data,
                          "--allow-subnets", "127.0.0.0/8", "--log-level", "warn", *options])
        self.token = open(os.path.join(data, "admin.key")).read().strip()

    def call(self, method, path, body=None):
        host, port = self.address.split(":")
        client = http.client.HTTPConnection(host, int(port))
        client.request(method, "/api/v1" + path, json.dumps(body) if body is not None else None,
                       {"Authorization": "Bearer " + self.token})
        answer = client.getresponse()
        text = answer.read()
        client.close()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text}")
        return json.loads(text) if text else None

    def application(self, name, sink_port, endpoints):
        app = self.call("POST", "/app", {"name": name})["id"]
        for i in range(endpoints):
            self.call("POST", f"/app/{app}/endpoint",
                      {"url": f"http://127.0.0.1:{sink_port}/{name}/{i}"})
        return app


def load(build, server, token, apps_file, events, connections, rate, count):
    out = subprocess.run([os.path.join(build, "bench/load"), server.address, token, apps_file, events,
                          str(connections), str(rate), str(count)], capture_output=True, text=True,
                         timeout=600)
    if not out.stdout or out.returncode:
        sys.exit(f"the load generator failed: {out.stderr}")
    return json.loads(out.stdout)


def saturate(build, sink, server, token, apps_file, events, fanout, count):
    """Closed loop until every delivery arrived: rate, CPU by thread, bytes written an event."""
    sink.ask("reset")
    cpu, written, start = server.cpu_by_thread(), server.written(), time.monotonic()
    load(build, server, token, apps_file, events, 64, 0, count)
    sink.wait_for(count * fanout)
    seconds = time.monotonic() - start
    used = {name: (us - cpu.get(name, 0)) / count for name, us in server.cpu_by_thread().items()}
    return {"rate": count / seconds, "cpu": sum(used.values()), "threads": used,
            "written": (server.written() - written) / count}


def latency(build, sink, server, token, apps_file, events, fanout, rate, seconds):
    sink.ask("reset")
    count = int(rate * seconds)
    posted = load(build, server, token, apps_file, events, 64, rate, count)
    arrived = sink.wait_for(count * fanout)
    return {"post": (posted["p50"], posted["p99"]), "deliver": (arrived["p50"], arrived["p99"])}


class Subject:
    """A server under test with what the load generator needs to know of it."""

    def __init__(self, name, server, token, apps_file):
        self.name, self.server, self.token, self.apps_file = name, server, token, apps_file


def measure(build, sink, subjects, events, fanout, count, seconds, rounds):
    """The figures of each subject: saturation in turns, the median round by rate; then latencies."""
    taken = [[] for _ in subjects]
    for subject in subjects:  # warm
        load(build, subject.server, subject.token, subject.apps_file, events, 64, 0, max(200, count // 20))
    for _ in range(rounds):
        for subject, figures in zip(subjects, taken):
            for other in subjects:
                other.server.settle()
            figures.append(saturate(build, sink, subject.server, subject.token, subject.apps_file, events,
                                    fanout, count))
    shown = []
    for subject, figures in zip(subjects, taken):
        median = sorted(figures, key=lambda f: f["rate"])[rounds // 2]
        for name, rate in (("at_1000", 1000 / fanout), ("at_half", median["rate"] / 2)):
            median[name] = latency(build, sink, subject.server, subject.token, subject.apps_file, events,
                                   fanout, rate, seconds)
        median["rss"] = subject.server.anonymous_kib() / 1024
        shown.append(median)
    return shown


def micros(pair):
    return "/".join(f"{us / 1000:.2f}" for us in pair)


def print_row(name, f, floor):
    ratio = f"{f['rate'] / floor['rate']:.2f}"
    print(f"{name:<34} {f['rate']:>8.0f} {ratio:>5} {f['cpu']:>6.1f} "
          f"{micros(f['at_1000']['post']):>12} {micros(f['at_1000']['deliver']):>12} "
          f"{micros(f['at_half']['post']):>12} {micros(f['at_half']['deliver']):>13} "
          f"{f['written'] / 1024:>7.1f} {f['rss']:>6.0f}", flush=True)
    threads = ", ".join(f"{n} {us:.1f}" for n, us in sorted(f["threads"].items()) if us >= 0.05)
    print(f"{'':<34} µs CPU by thread: {threads}", flush=True)


def print_head():
    print(f"{'':<34} {'events/s':>8} {'ratio':>5} {'µs CPU':>6} {'202 @1000/s':>12} "
          f"{'deliv @1000':>12} {'202 @half':>12} {'deliv @half':>13} {'KiB wr.':>7} {'RSS MB':>6}")
    print(f"{'':<34} {'':>8} {'':>5} {'/event':>6} {'p50/p99 ms':>12} {'p50/p99 ms':>12} "
          f"{'p50/p99 ms':>12} {'p50/p99 ms':>13} {'/event':>7} {'anon':>6}", flush=True)


def write_lines(path, lines):
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return path


def bench(build, sink, work, server, apps, case, stored, options):
    """One case on one store: the floor on an empty store of its own, and Surehook."""
    label, events, fanout, count = case
    floor = Server([os.path.join(build, "bench/floor"), tempfile.mkdtemp(dir=work), str(fanout),
                    f"http://127.0.0.1:{sink.port}/floor"])
    subjects = [Subject("floor", floor, "-", write_lines(os.path.join(work, "floor.apps"), ["app"])),
                Subject("Surehook", server, server.token, write_lines(os.path.join(work, "apps"), apps))]
    figures = measure(build, sink, subjects, events, fanout, count, options.seconds, options.rounds)
    for subject, f in zip(subjects, figures):
        store = stored if subject.name == "Surehook" else "empty"
        print_row(f"{subject.name}, {store}: {label}", f, figures[0])
    floor.stop()


def fill(build, sink, work, server, messages):
    """A store that holds `messages` delivered messages of 1,000 endpoints."""
    apps = [server.application(f"old-{i}", sink.port, 1) for i in range(1000)]
    apps_file = write_lines(os.path.join(work, "old.apps"), apps)
    sink.ask("reset")
    start = time.monotonic()
    load(build, server, server.token, apps_file, "-", 64, 0, messages)
    sink.wait_for(messages, patience=600)
    print(f"(filled with {messages:,} messages of 1,000 endpoints in "
          f"{time.monotonic() - start:.0f} s)", flush=True)
    return apps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true", help="a smoke test: figures mean little")
    parser.add_argument("--messages", type=int, default=1_000_000)
    options = parser.parse_args()
    count, options.seconds, options.rounds = (2_000, 1, 1) if options.quick else (60_000, 4, 3)
    messages = 20_000 if options.quick else options.messages
    real = os.path.join(ROOT, "tests/data/events.ndjson")
    cases = [("1 KiB, fan-out 1", "-", 1, count), ("1 KiB, fan-out 5", "-", 5, count // 3),
             ("real events, fan-out 1", real, 1, count // 3),
             ("real events, fan-out 5", real, 5, count // 6)]
    with tempfile.TemporaryDirectory(prefix="surehook-bench-") as work:
        sink = Sink(options.build, work)
        print_head()
        for stored in ("empty", "1M"):
            server = Surehook(options.build, tempfile.mkdtemp(dir=work))
            if stored != "empty":
                old = fill(options.build, sink, work, server, messages)
            for case in cases:
                label, _, fanout, _ = case
                if stored == "empty":
                    apps = [server.application(label.replace(" ", ""), sink.port, fanout)]
                elif fanout == 1:
                    apps = old
                else:
                    apps = [server.application(f"wide{label[0]}-{i}", sink.port, fanout)
                            for i in range(200)]
                bench(options.build, sink, work, server, apps, case, stored, options)
            server.stop()
        sink.stop()


if __name__ == "__main__":
    main()

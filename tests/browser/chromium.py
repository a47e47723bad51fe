"""A headless Chromium over the DevTools protocol, through a pair of pipes: no driver, no port, no network."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time

# The sandbox needs what containers and root lack; the page is our own.
FLAGS = ["--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
         "--window-size=1400,1300"]
NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]


def program():
    """The first Chromium on the path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    def __init__(self, path):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def fixed_descriptors():  # the browser reads from 3 and writes to 4
            # Out of the way first: one of the two may be 3 or 4 itself.
            reading, writing = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(reading, 3), os.dup2(writing, 4)

        headless = [] if "headless-shell" in path else ["--headless=new"]
        self.process = subprocess.Popen(
            [path, *headless, *FLAGS, f"--user-data-dir={self.profile.name}"], preexec_fn=fixed_descriptors,
            close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in), os.close(theirs_out)
        self.input, self.output = ours_in, ours_out
        self.buffer, self.last_id, self.session, self.events = b"", 0, None, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.profile.cleanup()

    def _receive(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            got = os.read(self.input, 1 << 20)
            if not got:
                raise RuntimeError(f"the browser has ended with {self.process.wait()}")
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        """One command's result; events on the way are kept in `events`."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def value(self, expression):
        """What a piece of JavaScript comes to, which JSON must be able to hold."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, expression, seconds=60):
        deadline = time.monotonic() + seconds
        while not self.value(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never came true: {expression}")
            time.sleep(0.1)

    def complaints(self):
        """Errors and warnings of the console, and exceptions."""
        found = []
        for event in self.events:
            what = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(what["exceptionDetails"]["text"])
            if event.get("method") == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                found.append(what["entry"]["text"])
            if event.get("method") == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
                found.append(str(what["args"]))
        return found

    def requests(self):
        return [event["params"]["request"]["url"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]

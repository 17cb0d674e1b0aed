"""A headless Chromium without network, driven through chromedriver by the WebDriver protocol."""

import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference
PATIENCE = 300  # seconds, on a busy machine
KEYS = {"left": "\ue012", "up": "\ue013", "right": "\ue014", "down": "\ue015", "tab": "\ue004"}


def missing():
    """What of the two programs is not installed, or None."""
    programs = {
        "Chromium": ("chromium", "chromium-browser", "google-chrome", "chrome"),
        "chromedriver": ("chromedriver",),
    }
    for name, commands in programs.items():
        if not any(map(shutil.which, commands)):
            return f"{name} is not installed (Debian's packages chromium and chromium-driver)"
    return None


class Browser:
    """One window. Use it as a context; the browser ends with it."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = ["chromedriver", "--port=0", f"--log-path={self.profile.name}/log"]
        self.driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            self.address = self._address()
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _address(self):
        assert self.driver.stdout is not None
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return f"http://127.0.0.1:{found[1]}"
        raise RuntimeError("chromedriver did not start")

    def _begin(self):
        arguments = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--disable-background-networking", "--disable-sync", "--no-first-run"),
            "--host-resolver-rules=MAP * ~NOTFOUND",  # no network
            f"--user-data-dir={self.profile.name}/profile",
        ]
        capabilities = {
            "timeouts": {"script": 1000 * PATIENCE, "pageLoad": 1000 * PATIENCE},
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        found = self._ask("", {"capabilities": {"alwaysMatch": capabilities}}, session=False)
        self.session = found["sessionId"]

    def __exit__(self, *_):
        try:
            if hasattr(self, "session"):
                self._ask("", method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.communicate(timeout=30)
            self.profile.cleanup()

    def _ask(self, what, given=None, method="POST", session=True):
        path = f"/session/{self.session}{what}" if session else "/session"
        body = None if method == "DELETE" else json.dumps(given or {}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE + 30) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{what}: {error.read().decode()[:500]}") from error

    def open(self, url):
        """Go to an address, and wait until the page has loaded."""
        self._ask("/url", {"url": url})

    def run(self, script, *arguments):
        """What JavaScript returns; a promise is waited for."""
        return self._ask("/execute/sync", {"script": script, "args": list(arguments)})

    def chromium(self, command, **parameters):
        """A command of Chromium's own protocol."""
        return self._ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look(self, width, height, dark=False, touch=False):
        """The window's size in CSS pixels, day or night, and whether it is a phone's."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.chromium("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.chromium("Emulation.setEmulatedMedia", features=[scheme])
        self.chromium("Emulation.setTouchEmulationEnabled", enabled=touch)

    def errors(self):
        """What the console was told since the last time."""
        return [entry["message"] for entry in self._ask("/se/log", {"type": "browser"})]

    def drag(self, selector, places, kind="mouse"):
        """Press, move and lift a mouse or a finger at shares of an element's width and height."""
        place = "{block: 'center', behavior: 'instant'}"
        scroll = f"document.querySelector(arguments[0]).scrollIntoView({place})"
        self.run(scroll, selector)
        measure = "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()"
        box = self.run(measure, selector)
        moves = []
        for x, y in places:
            x, y = round(box["x"] + x * box["width"]), round(box["y"] + y * box["height"])
            moves.append({"type": "pointerMove", "duration": 20, "x": x, "y": y})
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        pointer = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}}
        pointer["actions"] = [moves[0], down, *moves[1:], up]
        self._ask("/actions", {"actions": [pointer]})

    def press(self, selector, keys):
        """Give an element the focus, if one is named, and press keys one after another."""
        if selector is not None:
            self.run("document.querySelector(arguments[0]).focus()", selector)
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._ask("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

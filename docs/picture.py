"""Makes the README's picture of the live page: `python docs/picture.py [--chromium /usr/bin/chromium]`.

It needs playwright (`pip install playwright`) and a Chromium. A server plays a scenario whose traffic grows until requests are
refused, a minute of it in a second; the page is opened in the middle of that.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "scenarios" / "library" / "rush_hour.yaml"
PICTURE = ROOT / "docs" / "live-page.png"
RATE = 60
SECONDS = 35
"""The rush begins after 15 minutes of the scenario, and lasts for 30."""


def main() -> None:
    """Play, look, and end the server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        scenario = Path(folder) / "rush_hour.yaml"
        text = SCENARIO.read_text(encoding="utf-8")
        scenario.write_text(text.replace("autoscale_min_replicas: 6", "autoscale_min_replicas: 4"), encoding="utf-8")
        look(scenario, given.chromium)


def look(scenario: Path, chromium: str) -> None:
    """Serve a scenario, and keep a picture of its page."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not among our dependencies

    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--scenario", str(scenario)]
    server = subprocess.Popen(
        [*command, "--clock", "paced", "--rate", str(RATE)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None  # noqa: S101
        found = re.search(r"http://\S+", server.stdout.readline())
        if found is None:
            raise SystemExit("the server did not start")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 620})
            page.goto(f"{found.group()}/_akstwin/")
            time.sleep(SECONDS)
            page.screenshot(path=str(PICTURE))
            browser.close()
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    main()

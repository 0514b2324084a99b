"""The tab in headless Chromium: a large model, a long sequence, and two peers on the same weights.

The log is written here: 12 layers × 12 heads × 512 tokens at 40 steps, causal, random as in no
model, which is the hardest case for compression; and one map of 4,096 × 4,096. Peers are installed
from PyPI beside this file, without their dependencies; the JavaScript that bertviz loads from a CDN
comes from npm.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, compare
from numpy.typing import NDArray
from playwright.sync_api import Browser, CDPSession, Frame, Page, Route, sync_playwright
from playwright.sync_api import TimeoutError as TooLong

from tb_attention_plugin import AttentionWriter

Maps = NDArray[np.float32]

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
LAYERS = HEADS = 12
TOKENS = 512
STEPS = 40
LONG = 4096
#: A peer that has drawn nothing by then is left behind.
PATIENCE_S = 30
#: Pages larger than this take longer than that.
LARGEST_PAGE = 256 * 2**20
_LIBRARIES = {"require.min.js": "requirejs", "d3.min.js": "d3", "jquery.min.js": "jquery"}

# When all thumbnails are drawn, counted from the start of the tab's own frame.
_OVERVIEW = """
(() => {
  const look = () => {
    const canvases = [...document.querySelectorAll('.heads-drawn canvas')];
    const drawn = canvases.reduce((sum, one) => sum + Number(one.dataset.drawn), 0);
    const map = document.querySelector('[data-testid="map"][data-state="ready"]');
    if (map && window.__map === undefined) window.__map = performance.now();
    if (drawn >= %d && window.__overview === undefined) window.__overview = performance.now();
    if (window.__overview === undefined || window.__map === undefined) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()
"""

# One key press every third frame (20 steps per second); the time until the frame with the new step
# is painted: a message posted within a frame is handled after its painting.
_SCRUB = """
async (count) => {
  const map = document.querySelector('[data-testid="map"]');
  const painted = () => new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now());
    requestAnimationFrame(() => channel.port2.postMessage(0));
  });
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  for (let i = 0; i < count; i++) {
    for (let wait = 0; wait < 3; wait++) await frame();
    const before = map.dataset.step;
    const start = performance.now();
    const channel = new MessageChannel();
    const after = new Promise((done) => (channel.port1.onmessage = () => done(performance.now())));
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
    channel.port2.postMessage(0);
    let end = await after;
    while (map.dataset.step === before || map.dataset.state !== 'ready') {
      end = await painted();
      if (end - start > 3000) break;
    }
    times.push(end - start);
  }
  return times;
}
"""

_PRESS = """
(key) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
"""

# Drags the zoomed map by a few pixels in every frame, and tells how long frames are.
_PAN = """
async (frames) => {
  const map = document.querySelector('[data-testid="map"]');
  const box = map.getBoundingClientRect();
  const send = (type, x, y) => map.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, button: 0, buttons: 1, bubbles: true, clientX: x, clientY: y }));
  map.setPointerCapture = () => {};
  let x = box.left + box.width / 2;
  let y = box.top + box.height / 2;
  send('pointerdown', x, y);
  const work = [];
  const gaps = [];
  let last = await new Promise(requestAnimationFrame);
  const first = map.dataset.firstQuery + '.' + map.dataset.firstKey;
  for (let i = 0; i < frames; i++) {
    x += i % 80 < 40 ? -6 : 6;
    y += i % 80 < 40 ? -6 : 6;
    const start = performance.now();
    send('pointermove', x, y);
    const channel = new MessageChannel();
    const after = new Promise((done) => (channel.port1.onmessage = () => done(performance.now())));
    channel.port2.postMessage(0);
    work.push((await after) - start);
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  const moved = first !== map.dataset.firstQuery + '.' + map.dataset.firstKey;
  send('pointerup', x, y);
  return { work, gaps, moved };
}
"""


def _attention(heads: int, tokens: int, sharpness: float, *, causal: bool) -> Maps:
    rng = np.random.default_rng(tokens + heads)
    logits = rng.normal(size=(1, heads, tokens, tokens)).astype(np.float32) * sharpness
    logits[..., 0] += 3
    if causal:
        logits = np.where(np.tril(np.ones((tokens, tokens), bool)), logits, -np.inf)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def _write_logs(root: Path) -> None:
    tokens = [[f"t{i}" for i in range(TOKENS)]]
    with AttentionWriter(root / "lm") as writer:
        for step in range(STEPS):
            maps = _attention(HEADS, TOKENS, 1 + 2 * step / STEPS, causal=True)
            for layer in range(LAYERS):
                name = f"h.{layer}/attention"
                writer.write(name, maps, step, query_tokens=tokens, key_tokens=tokens, causal=True)
    with AttentionWriter(root / "long") as writer:
        for step in range(2):
            maps = _attention(1, LONG, 2 + step, causal=False)
            writer.write("encoder/self_attention", maps, step)


@contextmanager
def _tensorboard(logdir: Path) -> Generator[str]:
    # Its own plugins import TensorFlow where it is installed, which takes ten seconds.
    program = (
        "import sys; sys.modules['tensorflow'] = None; "
        "from tensorboard.main import run_main; run_main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--logdir", str(logdir), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = next(
            filter(None, (re.search(r"at (http://\S+/)", line) for line in process.stderr))
        )
        stderr = process.stderr
        threading.Thread(target=lambda: [None for _ in stderr], daemon=True).start()
        yield found[1]
    finally:
        process.terminate()
        process.wait()


def _tab(page: Page) -> Frame:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for frame in page.frames:
            if "plugin_entry" in frame.url or "attention" in frame.url.split("#")[0]:
                return frame
        for frame in page.frames[1:]:
            return frame
        page.wait_for_timeout(20)
    raise RuntimeError("TensorBoard did not open the tab within a minute.")


def _heap(session: CDPSession) -> tuple[float, float]:
    """MB of JavaScript objects after a collection, and the number of DOM nodes."""
    session.send("HeapProfiler.collectGarbage")
    metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    values = {metric["name"]: metric["value"] for metric in metrics}
    return values["JSHeapUsedSize"] / 2**20, values["Nodes"]


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _opened(
    browser: Browser, address: str, state: str, thumbnails: int, mark: str
) -> tuple[float, Page, Frame]:
    """Median of three openings in milliseconds, and the last of them, which stays open."""
    times: list[float] = []
    while True:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(_OVERVIEW % thumbnails)
        page.goto(address + state)
        frame = _tab(page)
        frame.wait_for_function(f"window.{mark} !== undefined", timeout=60_000)
        times.append(frame.evaluate(f"window.{mark}"))
        if len(times) == 3:
            return statistics.median(times), page, frame
        page.close()


def _large_model(browser: Browser, address: str) -> Iterator[Figure]:
    chosen = {"run": "lm", "layer": "h.0/attention", "step": STEPS - 1}
    state = "#attention" + "".join(f"&p.attention.{k}={v}" for k, v in chosen.items())
    overview, page, frame = _opened(browser, address, state, LAYERS * HEADS, "__overview")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    name = f"{LAYERS} × {HEADS} heads × {TOKENS} tokens"
    yield Figure(
        f"first overview, {name}",
        overview,
        "ms",
        note="144 thumbnails drawn, from the start of the tab's frame; target 1000",
    )
    frame.wait_for_function("window.__map !== undefined", timeout=60_000)
    nodes = frame.evaluate("document.querySelectorAll('*').length")
    heap, _ = _heap(session)
    yield Figure(f"elements of the tab, {name}", nodes, "elements", note="target 5000")
    yield Figure(
        f"JS heap, {name}", heap, "MB", note="page and tab, after a collection; target 100"
    )
    for latency in (0, 50):
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": latency,
                "downloadThroughput": -1,
                "uploadThroughput": -1,
            },
        )
        # Another head each time: its maps are not at hand. One pass before the first, since a page
        # that was opened just now runs uncompiled.
        if latency == 0:
            _from_the_start(page, frame)
            frame.evaluate(_SCRUB, STEPS - 2)
        frame.evaluate(_PRESS, "k")
        _from_the_start(page, frame)
        times: list[float] = frame.evaluate(_SCRUB, STEPS - 2)
        yield Figure(
            f"step to paint, p95, {latency} ms added latency, {name}",
            _p95(times),
            "ms",
            note=(
                f"20 steps per second, a head whose maps are not at hand; "
                f"median {statistics.median(times):.1f}; target 16"
            ),
        )
    heap, _ = _heap(session)
    yield Figure(f"JS heap after scrubbing, {name}", heap, "MB", note="after a collection")
    page.close()


def _from_the_start(page: Page, frame: Frame) -> None:
    frame.evaluate(_PRESS, "Home")
    frame.locator('[data-testid="map"][data-state="ready"][data-step="0"]').wait_for()
    page.wait_for_timeout(700)


def _long_map(browser: Browser, address: str) -> Iterator[Figure]:
    state = "#attention&p.attention.run=long&p.attention.step=1"
    opened, page, frame = _opened(browser, address, state, 0, "__map")
    name = f"{LONG} × {LONG}"
    yield Figure(
        f"map opened, {name}",
        opened,
        "ms",
        note="read, checked, inflated and drawn, from the start of the tab's frame; target 500",
    )
    for zoom in range(4):
        frame.get_by_test_id("zoom-in").click()
        if zoom not in (0, 3):
            continue
        page.wait_for_timeout(300)
        pan: dict[str, Any] = frame.evaluate(_PAN, 120)
        assert pan["moved"], "The map did not move."
        yield Figure(
            f"pan, p95 of the work of a frame, {name}, zoomed {1.5 ** (zoom + 1):.1f}×",
            _p95(pan["work"]),
            "ms",
            note=f"median gap between frames {statistics.median(pan['gaps']):.1f} ms; target 16",
        )
    page.close()


def _install_peers() -> Path | None:
    """Python of the environment where the peers are; None where they cannot be installed."""
    python = PEERS / "bin" / "python"
    npm = shutil.which("npm")
    if npm is None:
        return None
    try:
        if not (PEERS / "node_modules" / "d3").exists():
            venv.create(PEERS, with_pip=True)
            pip = [str(python), "-m", "pip", "install", "-q"]
            subprocess.run([*pip, "numpy"], check=True)
            subprocess.run([*pip, "--no-deps", "inspectus==0.2.0", "bertviz==1.4.1"], check=True)
            libraries = ["requirejs@2.3.6", "jquery@2.2.4", "d3@5.7.0"]
            command = [npm, "install", "--silent", "--no-save", "--prefix", str(PEERS), *libraries]
            subprocess.run(command, check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"The peers cannot be installed: {error}", file=sys.stderr)
        return None
    return python


def _serve_library(route: Route) -> None:
    file = route.request.url.rsplit("/", 1)[-1]
    package = PEERS / "node_modules" / _LIBRARIES.get(file, "")
    places = (package / "dist" / file, package / "require.js", package / "dist" / "jquery.min.js")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        route.abort()
    else:
        route.fulfill(body=found.read_text("utf-8"), content_type="text/javascript")


def _peer_page(python: Path, tool: str, weights: Path) -> Path:
    """The page that a peer makes of the weights."""
    page = weights.with_name("page.html")
    command = [str(python), str(HERE / "peer_pages.py"), tool, str(weights), str(page)]
    subprocess.run(command, check=True)
    return page


def _peer_time(browser: Browser, tool: str, page_file: Path) -> tuple[float, str]:
    """Milliseconds from opening the page to its drawing, and a note."""
    note = f"page of {page_file.stat().st_size / 2**20:.0f} MB"
    drawn = {
        # One map, a rectangle for each of its cells; the links of all heads of a layer.
        "inspectus": "document.querySelectorAll('svg rect').length > 0",
        "bertviz head view": "document.querySelectorAll('#vis line').length > 0",
    }[tool]
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.route("https://cdnjs.cloudflare.com/**", _serve_library)
    start = time.perf_counter()
    try:
        page.goto(page_file.as_uri(), timeout=PATIENCE_S * 1e3)
        page.wait_for_function(
            f"() => {drawn} && new Promise((done) => requestAnimationFrame(() => done(true)))",
            timeout=PATIENCE_S * 1e3,
        )
        return (time.perf_counter() - start) * 1e3, note
    except TooLong:
        return PATIENCE_S * 1e3, f"{note}, not drawn in {PATIENCE_S} s"
    finally:
        page.close()


def _against_peers(browser: Browser, root: Path) -> Iterator[Figure]:
    python = _install_peers()
    if python is None:
        return
    late: set[str] = set()
    # Bytes of a page per token squared, from the size before: too large ones are not even made.
    density: dict[str, float] = {}
    for tokens in (64, 128, 256, 512):
        logs = root / f"peer{tokens}"
        maps = np.concatenate(
            [_attention(HEADS, tokens, 2 + n, causal=False) for n in range(LAYERS)]
        )
        with AttentionWriter(logs / "run") as writer:
            for layer in range(LAYERS):
                writer.write(f"h.{layer}/attention", maps[layer : layer + 1], 0)
        weights = root / "weights.npy"
        np.save(weights, maps)
        with _tensorboard(logs) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.add_init_script(_OVERVIEW % (LAYERS * HEADS))
            page.goto(f"{address}#attention")
            frame = _tab(page)
            frame.wait_for_function(
                "window.__overview !== undefined && window.__map !== undefined", timeout=60_000
            )
            ours: float = frame.evaluate("Math.max(window.__overview, window.__map)")
            page.close()
        for tool in ("inspectus", "bertviz head view"):
            name = f"144 heads opened, {tokens} tokens, against {tool}"
            if tool in late or density.get(tool, 0) * tokens**2 > LARGEST_PAGE:
                why = "gave up at fewer tokens" if tool in late else "its page is too large to open"
                yield Figure(name, ours, "ms", tool, note=why)
                continue
            page_file = _peer_page(python, tool, weights)
            density[tool] = page_file.stat().st_size / tokens**2
            theirs, note = _peer_time(browser, tool, page_file)
            if theirs >= PATIENCE_S * 1e3:
                late.add(tool)
            yield compare(name, ours, "ms", tool, theirs, note)


def figures() -> Iterator[Figure]:
    """Every figure of the tab."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        root = Path(directory)
        _write_logs(root / "logs")
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        with _tensorboard(root / "logs") as address:
            yield from _large_model(browser, address)
            yield from _long_map(browser, address)
        yield from _against_peers(browser, root)
        browser.close()

"""The HTTP routes: parse the request, call, respond."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import mimetypes
import secrets
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from tensorboard import context as tensorboard_context
from tensorboard.backend import experiment_id
from tensorboard.plugins import base_plugin
from werkzeug import wrappers
from werkzeug.datastructures import Headers

from tb_attention_plugin import responses
from tb_attention_plugin.diagnosis import answers
from tb_attention_plugin.responses import RequestError
from tb_attention_plugin.sampled import SampledRuns
from tb_attention_plugin.store.events import PLUGIN_NAME
from tb_attention_plugin.store.logdir import (
    LogDirectory,
    Root,
    UnreadableRoot,
    roots_of,
    shown_name,
)
from tb_attention_plugin.store.metric_series import MetricLog
from tb_attention_plugin.store.run import StoreError

_BINARY = "application/octet-stream"
_DAY = "private, max-age=86400, immutable"
# Asked for anew, but answered with 304 where nothing changed.
_REVALIDATE = "private, no-cache"

_logger = logging.getLogger(__name__)

Route = Callable[[wrappers.Request], wrappers.Response]


class _Response(wrappers.Response):
    # werkzeug takes the content type of a 304 away, and TensorBoard's security validator then warns
    # at every poll that it "will become an error".
    def get_wsgi_headers(self, environ: Any) -> Headers:
        headers = super().get_wsgi_headers(environ)
        headers.setdefault("Content-Type", self.content_type or _BINARY)
        return headers


def _respond(
    body: bytes,
    content_type: str,
    *,
    status: int = 200,
    cache: str = "no-store",
    headers: Mapping[str, str] | None = None,
) -> wrappers.Response:
    response = _Response(body, status=status, content_type=content_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = cache
    response.headers.update(headers or {})
    return response


def _unless_known(
    request: wrappers.Request,
    state: object,
    build: Callable[[], tuple[bytes, bool]],
    content_type: str,
) -> wrappers.Response:
    """Answers 304 before anything is built, when the browser has what belongs to a state.

    Args:
        request: The request.
        state: Differs whenever what is built does.
        build: Gives the body, and whether it says all: what could not be read may be mended without
            a change of the state, and is asked for anew each time.
        content_type: Of the body.
    """
    etag = hashlib.sha256(repr(state).encode("utf-8", "backslashreplace")).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Vary": "Accept"}
    if request.if_none_match.contains(etag):
        return _respond(b"", content_type, status=304, cache=_REVALIDATE, headers=headers)
    body, whole = build()
    if not whole:
        del headers["ETag"]
    return _respond(body, content_type, cache=_REVALIDATE, headers=headers)


def _route(handler: Callable[[AttentionPlugin, wrappers.Request], wrappers.Response]) -> Any:
    """Makes a WSGI application of a method; what a person did wrong becomes a sentence."""

    @functools.wraps(handler)
    def application(self: AttentionPlugin, environ: Any, start_response: Any) -> Any:
        request = wrappers.Request(environ)
        try:
            if request.method not in ("GET", "HEAD"):
                raise RequestError(405, f"Expected GET, received {request.method}.")
            response = handler(self, request)
        except (RequestError, StoreError) as error:
            status = error.status if isinstance(error, RequestError) else 404
            response = _respond(
                str(error).encode("utf-8", "replace"), "text/plain; charset=utf-8", status=status
            )
        return response(environ, start_response)

    return application


def _text(request: wrappers.Request, name: str) -> str:
    value = request.args.get(name)
    if value is None:
        raise RequestError(400, f"{name}: expected this parameter, received none.")
    return value


def _integers(request: wrappers.Request, name: str) -> list[int]:
    text = _text(request, name)
    try:
        # int() alone would take "1_0", " 1" and digits of any script.
        if not text.isascii() or not text.replace(",", "").isdigit() or len(text) > 100_000:
            raise ValueError
        parts = text.split(",")
        if max(map(len, parts)) > 19:
            raise ValueError
        values = [int(part) for part in parts]
        if max(values) >= 2**63:
            raise ValueError
    except ValueError:
        raise RequestError(
            400,
            f"{name}: expected integers from 0 on, separated by commas, received {text[:80]!r}.",
        ) from None
    return values


def _integer(request: wrappers.Request, name: str) -> int:
    values = _integers(request, name)
    if len(values) != 1:
        raise RequestError(400, f"{name}: expected one integer, received {len(values)}.")
    return values[0]


def _cache(request: wrappers.Request) -> str:
    # With the layer's generation in the URL, the same URL means the same bytes forever.
    return _DAY if "v" in request.args else "no-store"


def _roots(logdir: str, spec: str) -> Sequence[tuple[str, Root]]:
    try:
        return roots_of(logdir, spec)
    except (ImportError, ValueError) as error:  # said on the tab, where a person looks
        _logger.warning("Attention: %s", error)
        return [("", UnreadableRoot(f"The log directory cannot be read: {error}."))]


def _only(runs: responses.Runs, run: str) -> responses.Runs:
    return {run: runs[run]} if run in runs else {}


class AttentionPlugin(base_plugin.TBPlugin):
    """The Attention tab's server.

    Args:
        context: What TensorBoard offers to plugins.
    """

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        logdir = context.logdir or ""
        spec = getattr(context.flags, "logdir_spec", "") or ""
        self._log_dir = shown_name(logdir or spec)
        self._logs = LogDirectory(_roots(logdir, spec))
        self._sampled = SampledRuns(context.data_provider)
        self._event_log = answers.EventLog()
        self._metric_log = MetricLog()
        self._started = secrets.token_hex(8)  # another process may find the same bytes otherwise
        self._static = resources.files("tb_attention_plugin") / "static"

    def get_plugin_apps(self) -> dict[str, Any]:
        """The routes, below `data/plugin/attention`."""
        return {
            "/index.js": self._serve_static,
            "/static/*": self._serve_static,
            "/runs": self._serve_runs,
            "/examples": self._serve_examples,
            "/metrics": self._serve_metrics,
            "/maps": self._serve_maps,
            "/atlas": self._serve_atlas,
            "/events": self._serve_events,
            "/failures": self._serve_failures,
        }

    def is_active(self) -> bool:
        """Whether there is anything to show or to say; asked where no event file says so."""
        return bool(self._logs.runs() or self._logs.problems)

    def data_plugin_names(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
    ) -> tuple[str, ...]:
        """Names of the plugins whose summaries switch the tab on."""
        return (PLUGIN_NAME,)

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """How TensorBoard shows the tab."""
        return base_plugin.FrontendMetadata(
            es_module_path="/index.js", tab_name="Attention", disable_reload=False
        )

    def _runs(self, request: wrappers.Request) -> responses.Runs:
        environ = request.environ
        stores = self._logs.runs()
        readable = {name: store for name, store in stores.items() if store.histories}
        sampled = self._sampled.without(
            readable,
            # As tensorboard.plugin_util, which imports what warns that it is deprecated.
            tensorboard_context.from_environ(environ),
            str(environ.get(experiment_id.WSGI_ENVIRON_KEY, "")),
        )
        return dict(sorted({**stores, **sampled}.items()))

    @_route
    def _serve_static(self, request: wrappers.Request) -> wrappers.Response:
        name = request.path.rsplit("/", 1)[-1]
        files = {file.name: file for file in self._static.iterdir() if file.is_file()}
        if name not in files:
            raise RequestError(404, f"No such file: {name[:80]!r}.")
        body = files[name].read_bytes()
        content_type = mimetypes.guess_type(name)[0] or _BINARY
        if content_type.startswith("text/"):
            content_type += "; charset=utf-8"
        if name == "index.js":
            state = hashlib.sha256(body).digest()
            return _unless_known(request, state, lambda: (body, True), content_type)
        return _respond(body, content_type, cache=_DAY)

    @_route
    def _serve_runs(self, request: wrappers.Request) -> wrappers.Response:
        runs = self._runs(request)
        best = request.accept_mimetypes.best_match([_BINARY, "application/json"], _BINARY)
        as_json = best == "application/json" and bool(request.accept_mimetypes)

        def build() -> tuple[bytes, bool]:
            response = responses.runs_response(runs, self._log_dir, self._logs.problems)
            body = response.SerializeToString()
            if as_json:
                body = json.dumps(responses.runs_json(response), ensure_ascii=False).encode()
            return body, not response.problems

        state = (self._state(runs), self._logs.problems, as_json)
        content_type = "application/json; charset=utf-8" if as_json else _BINARY
        return _unless_known(request, state, build, content_type)

    def _state(self, runs: responses.Runs) -> object:
        """What changes whenever something is written to a run."""
        return self._started, [(name, store.state, store.problems) for name, store in runs.items()]

    @_route
    def _serve_examples(self, request: wrappers.Request) -> wrappers.Response:
        response = responses.examples_response(
            self._runs(request),
            _text(request, "run"),
            _text(request, "layer"),
            _integer(request, "step"),
        )
        return _respond(response.SerializeToString(), _BINARY, cache=_cache(request))

    @_route
    def _serve_metrics(self, request: wrappers.Request) -> wrappers.Response:
        runs = self._runs(request)
        run, layer = _text(request, "run"), _text(request, "layer")
        return _unless_known(
            request,
            (self._state(_only(runs, run)), run, layer),
            lambda: (
                responses.metrics_response(runs, run, layer, self._metric_log).SerializeToString(),
                True,
            ),
            _BINARY,
        )

    @_route
    def _serve_maps(self, request: wrappers.Request) -> wrappers.Response:
        body = responses.maps_response(
            self._runs(request),
            _text(request, "run"),
            _text(request, "layer"),
            _integer(request, "example"),
            _integers(request, "heads"),
            _integers(request, "steps"),
        )
        return _respond(body, _BINARY, cache=_cache(request))

    @_route
    def _serve_atlas(self, request: wrappers.Request) -> wrappers.Response:
        body = responses.atlas_response(
            self._runs(request),
            _text(request, "run"),
            _integer(request, "step"),
            _integers(request, "example"),
            _integer(request, "size") if "size" in request.args else 32,
            request.args.get("layer"),
        )
        return _respond(body, _BINARY, cache=_cache(request))

    @_route
    def _serve_events(self, request: wrappers.Request) -> wrappers.Response:
        runs, run = self._runs(request), _text(request, "run")

        def build() -> tuple[bytes, bool]:
            response = answers.events_response(self._event_log, runs, run)
            return response.SerializeToString(), not response.problems

        return _unless_known(request, (self._state(_only(runs, run)), run), build, _BINARY)

    @_route
    def _serve_failures(self, request: wrappers.Request) -> wrappers.Response:
        response = answers.failures_response(
            self._runs(request),
            _text(request, "run"),
            _text(request, "layer"),
            _integer(request, "example"),
            _integer(request, "head"),
            _integer(request, "step"),
        )
        return _respond(response.SerializeToString(), _BINARY, cache=_cache(request))

from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODING_UNSPECIFIED: _ClassVar[Encoding]
    CODE8: _ClassVar[Encoding]
    FLOAT16: _ClassVar[Encoding]
    FLOAT32: _ClassVar[Encoding]
ENCODING_UNSPECIFIED: Encoding
CODE8: Encoding
FLOAT16: Encoding
FLOAT32: Encoding

class Blob(_message.Message):
    __slots__ = ("offset", "length", "crc32")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    offset: int
    length: int
    crc32: int
    def __init__(self, offset: _Optional[int] = ..., length: _Optional[int] = ..., crc32: _Optional[int] = ...) -> None: ...

class IndexRecord(_message.Message):
    __slots__ = ("header", "entry")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    header: Header
    entry: Entry
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., entry: _Optional[_Union[Entry, _Mapping]] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("version", "start_time", "writer")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    version: int
    start_time: float
    writer: str
    def __init__(self, version: _Optional[int] = ..., start_time: _Optional[float] = ..., writer: _Optional[str] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("step", "layer", "wall_time", "examples", "heads", "queries", "keys", "query_lengths", "key_lengths", "causal", "encoding", "code_table", "frames_offset", "frame_lengths", "frame_crc32s", "atlases", "query_tokens", "key_tokens", "metrics", "has_nonfinite", "out_of_range", "dtype", "skipped", "query_pooling", "key_pooling", "head_numbers")
    STEP_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    QUERY_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    KEY_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    CAUSAL_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    CODE_TABLE_FIELD_NUMBER: _ClassVar[int]
    FRAMES_OFFSET_FIELD_NUMBER: _ClassVar[int]
    FRAME_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    FRAME_CRC32S_FIELD_NUMBER: _ClassVar[int]
    ATLASES_FIELD_NUMBER: _ClassVar[int]
    QUERY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KEY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    HAS_NONFINITE_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_RANGE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    QUERY_POOLING_FIELD_NUMBER: _ClassVar[int]
    KEY_POOLING_FIELD_NUMBER: _ClassVar[int]
    HEAD_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    step: int
    layer: str
    wall_time: float
    examples: int
    heads: int
    queries: int
    keys: int
    query_lengths: _containers.RepeatedScalarFieldContainer[int]
    key_lengths: _containers.RepeatedScalarFieldContainer[int]
    causal: bool
    encoding: Encoding
    code_table: int
    frames_offset: int
    frame_lengths: _containers.RepeatedScalarFieldContainer[int]
    frame_crc32s: _containers.RepeatedScalarFieldContainer[int]
    atlases: _containers.RepeatedCompositeFieldContainer[Atlas]
    query_tokens: Blob
    key_tokens: Blob
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    has_nonfinite: bool
    out_of_range: bool
    dtype: str
    skipped: int
    query_pooling: int
    key_pooling: int
    head_numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, step: _Optional[int] = ..., layer: _Optional[str] = ..., wall_time: _Optional[float] = ..., examples: _Optional[int] = ..., heads: _Optional[int] = ..., queries: _Optional[int] = ..., keys: _Optional[int] = ..., query_lengths: _Optional[_Iterable[int]] = ..., key_lengths: _Optional[_Iterable[int]] = ..., causal: bool = ..., encoding: _Optional[_Union[Encoding, str]] = ..., code_table: _Optional[int] = ..., frames_offset: _Optional[int] = ..., frame_lengths: _Optional[_Iterable[int]] = ..., frame_crc32s: _Optional[_Iterable[int]] = ..., atlases: _Optional[_Iterable[_Union[Atlas, _Mapping]]] = ..., query_tokens: _Optional[_Union[Blob, _Mapping]] = ..., key_tokens: _Optional[_Union[Blob, _Mapping]] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., has_nonfinite: bool = ..., out_of_range: bool = ..., dtype: _Optional[str] = ..., skipped: _Optional[int] = ..., query_pooling: _Optional[int] = ..., key_pooling: _Optional[int] = ..., head_numbers: _Optional[_Iterable[int]] = ...) -> None: ...

class RecordGlance(_message.Message):
    __slots__ = ("header", "entry")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    header: Header
    entry: EntryGlance
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., entry: _Optional[_Union[EntryGlance, _Mapping]] = ...) -> None: ...

class EntryGlance(_message.Message):
    __slots__ = ("step", "layer", "wall_time", "examples", "queries", "keys", "query_lengths", "key_lengths", "query_tokens", "key_tokens", "skipped", "query_pooling", "key_pooling")
    STEP_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    QUERY_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    KEY_LENGTHS_FIELD_NUMBER: _ClassVar[int]
    QUERY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KEY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    QUERY_POOLING_FIELD_NUMBER: _ClassVar[int]
    KEY_POOLING_FIELD_NUMBER: _ClassVar[int]
    step: int
    layer: str
    wall_time: float
    examples: int
    queries: int
    keys: int
    query_lengths: _containers.RepeatedScalarFieldContainer[int]
    key_lengths: _containers.RepeatedScalarFieldContainer[int]
    query_tokens: Blob
    key_tokens: Blob
    skipped: int
    query_pooling: int
    key_pooling: int
    def __init__(self, step: _Optional[int] = ..., layer: _Optional[str] = ..., wall_time: _Optional[float] = ..., examples: _Optional[int] = ..., queries: _Optional[int] = ..., keys: _Optional[int] = ..., query_lengths: _Optional[_Iterable[int]] = ..., key_lengths: _Optional[_Iterable[int]] = ..., query_tokens: _Optional[_Union[Blob, _Mapping]] = ..., key_tokens: _Optional[_Union[Blob, _Mapping]] = ..., skipped: _Optional[int] = ..., query_pooling: _Optional[int] = ..., key_pooling: _Optional[int] = ...) -> None: ...

class Atlas(_message.Message):
    __slots__ = ("size", "rows", "columns", "tiles")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    size: int
    rows: _containers.RepeatedScalarFieldContainer[int]
    columns: _containers.RepeatedScalarFieldContainer[int]
    tiles: _containers.RepeatedCompositeFieldContainer[Blob]
    def __init__(self, size: _Optional[int] = ..., rows: _Optional[_Iterable[int]] = ..., columns: _Optional[_Iterable[int]] = ..., tiles: _Optional[_Iterable[_Union[Blob, _Mapping]]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class TokenTable(_message.Message):
    __slots__ = ("examples",)
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    examples: _containers.RepeatedCompositeFieldContainer[TokenList]
    def __init__(self, examples: _Optional[_Iterable[_Union[TokenList, _Mapping]]] = ...) -> None: ...

class TokenList(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tokens: _Optional[_Iterable[str]] = ...) -> None: ...

class RunsResponse(_message.Message):
    __slots__ = ("runs", "code_tables", "log_dir", "problems")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    CODE_TABLES_FIELD_NUMBER: _ClassVar[int]
    LOG_DIR_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    code_tables: _containers.RepeatedCompositeFieldContainer[CodeTable]
    log_dir: str
    problems: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., code_tables: _Optional[_Iterable[_Union[CodeTable, _Mapping]]] = ..., log_dir: _Optional[str] = ..., problems: _Optional[_Iterable[str]] = ...) -> None: ...

class CodeTable(_message.Message):
    __slots__ = ("id", "values", "tiny")
    ID_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TINY_FIELD_NUMBER: _ClassVar[int]
    id: int
    values: _containers.RepeatedScalarFieldContainer[float]
    tiny: float
    def __init__(self, id: _Optional[int] = ..., values: _Optional[_Iterable[float]] = ..., tiny: _Optional[float] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("name", "layers", "thumbnails_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    THUMBNAILS_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    layers: _containers.RepeatedCompositeFieldContainer[Layer]
    thumbnails_only: bool
    def __init__(self, name: _Optional[str] = ..., layers: _Optional[_Iterable[_Union[Layer, _Mapping]]] = ..., thumbnails_only: bool = ...) -> None: ...

class Layer(_message.Message):
    __slots__ = ("name", "steps", "wall_times", "heads", "queries", "keys", "causal", "examples", "example_steps", "generation", "query_pooling", "key_pooling", "head_numbers", "gap_steps", "gap_counts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WALL_TIMES_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    CAUSAL_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_STEPS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    QUERY_POOLING_FIELD_NUMBER: _ClassVar[int]
    KEY_POOLING_FIELD_NUMBER: _ClassVar[int]
    HEAD_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    GAP_STEPS_FIELD_NUMBER: _ClassVar[int]
    GAP_COUNTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    steps: _containers.RepeatedScalarFieldContainer[int]
    wall_times: _containers.RepeatedScalarFieldContainer[float]
    heads: int
    queries: int
    keys: int
    causal: bool
    examples: _containers.RepeatedCompositeFieldContainer[Example]
    example_steps: _containers.RepeatedScalarFieldContainer[int]
    generation: str
    query_pooling: int
    key_pooling: int
    head_numbers: _containers.RepeatedScalarFieldContainer[int]
    gap_steps: _containers.RepeatedScalarFieldContainer[int]
    gap_counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., steps: _Optional[_Iterable[int]] = ..., wall_times: _Optional[_Iterable[float]] = ..., heads: _Optional[int] = ..., queries: _Optional[int] = ..., keys: _Optional[int] = ..., causal: bool = ..., examples: _Optional[_Iterable[_Union[Example, _Mapping]]] = ..., example_steps: _Optional[_Iterable[int]] = ..., generation: _Optional[str] = ..., query_pooling: _Optional[int] = ..., key_pooling: _Optional[int] = ..., head_numbers: _Optional[_Iterable[int]] = ..., gap_steps: _Optional[_Iterable[int]] = ..., gap_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class Example(_message.Message):
    __slots__ = ("query_tokens", "key_tokens", "query_length", "key_length")
    QUERY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KEY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    QUERY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    KEY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    query_tokens: _containers.RepeatedScalarFieldContainer[str]
    key_tokens: _containers.RepeatedScalarFieldContainer[str]
    query_length: int
    key_length: int
    def __init__(self, query_tokens: _Optional[_Iterable[str]] = ..., key_tokens: _Optional[_Iterable[str]] = ..., query_length: _Optional[int] = ..., key_length: _Optional[int] = ...) -> None: ...

class ExamplesResponse(_message.Message):
    __slots__ = ("examples",)
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    examples: _containers.RepeatedCompositeFieldContainer[Example]
    def __init__(self, examples: _Optional[_Iterable[_Union[Example, _Mapping]]] = ...) -> None: ...

class MetricsResponse(_message.Message):
    __slots__ = ("steps", "examples", "heads", "series", "head_numbers")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    HEAD_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    examples: int
    heads: int
    series: _containers.RepeatedCompositeFieldContainer[MetricSeries]
    head_numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, steps: _Optional[_Iterable[int]] = ..., examples: _Optional[int] = ..., heads: _Optional[int] = ..., series: _Optional[_Iterable[_Union[MetricSeries, _Mapping]]] = ..., head_numbers: _Optional[_Iterable[int]] = ...) -> None: ...

class MetricSeries(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class EventsResponse(_message.Message):
    __slots__ = ("events", "problems")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    problems: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., problems: _Optional[_Iterable[str]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("kind", "layer", "head", "step", "confirmed_step", "metric", "value", "message")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_STEP_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    layer: str
    head: int
    step: int
    confirmed_step: int
    metric: str
    value: float
    message: str
    def __init__(self, kind: _Optional[str] = ..., layer: _Optional[str] = ..., head: _Optional[int] = ..., step: _Optional[int] = ..., confirmed_step: _Optional[int] = ..., metric: _Optional[str] = ..., value: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class FailuresResponse(_message.Message):
    __slots__ = ("failures",)
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    failures: _containers.RepeatedCompositeFieldContainer[Failure]
    def __init__(self, failures: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "first_query", "end_query", "first_key", "end_key")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FIRST_QUERY_FIELD_NUMBER: _ClassVar[int]
    END_QUERY_FIELD_NUMBER: _ClassVar[int]
    FIRST_KEY_FIELD_NUMBER: _ClassVar[int]
    END_KEY_FIELD_NUMBER: _ClassVar[int]
    kind: str
    first_query: int
    end_query: int
    first_key: int
    end_key: int
    def __init__(self, kind: _Optional[str] = ..., first_query: _Optional[int] = ..., end_query: _Optional[int] = ..., first_key: _Optional[int] = ..., end_key: _Optional[int] = ...) -> None: ...

class MapHeader(_message.Message):
    __slots__ = ("step", "example", "head", "queries", "keys", "query_length", "key_length", "causal", "encoding", "code_table", "crc32", "has_nonfinite", "out_of_range", "problem", "query_pooling", "key_pooling")
    STEP_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    QUERY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    KEY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CAUSAL_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    CODE_TABLE_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    HAS_NONFINITE_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_RANGE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    QUERY_POOLING_FIELD_NUMBER: _ClassVar[int]
    KEY_POOLING_FIELD_NUMBER: _ClassVar[int]
    step: int
    example: int
    head: int
    queries: int
    keys: int
    query_length: int
    key_length: int
    causal: bool
    encoding: Encoding
    code_table: int
    crc32: int
    has_nonfinite: bool
    out_of_range: bool
    problem: str
    query_pooling: int
    key_pooling: int
    def __init__(self, step: _Optional[int] = ..., example: _Optional[int] = ..., head: _Optional[int] = ..., queries: _Optional[int] = ..., keys: _Optional[int] = ..., query_length: _Optional[int] = ..., key_length: _Optional[int] = ..., causal: bool = ..., encoding: _Optional[_Union[Encoding, str]] = ..., code_table: _Optional[int] = ..., crc32: _Optional[int] = ..., has_nonfinite: bool = ..., out_of_range: bool = ..., problem: _Optional[str] = ..., query_pooling: _Optional[int] = ..., key_pooling: _Optional[int] = ...) -> None: ...

class AtlasHeader(_message.Message):
    __slots__ = ("layer", "step", "example", "heads", "rows", "columns", "causal", "query_length", "key_length", "code_table", "problem", "head_numbers")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CAUSAL_FIELD_NUMBER: _ClassVar[int]
    QUERY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    KEY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CODE_TABLE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    HEAD_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    layer: str
    step: int
    example: int
    heads: int
    rows: int
    columns: int
    causal: bool
    query_length: int
    key_length: int
    code_table: int
    problem: str
    head_numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, layer: _Optional[str] = ..., step: _Optional[int] = ..., example: _Optional[int] = ..., heads: _Optional[int] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., causal: bool = ..., query_length: _Optional[int] = ..., key_length: _Optional[int] = ..., code_table: _Optional[int] = ..., problem: _Optional[str] = ..., head_numbers: _Optional[_Iterable[int]] = ...) -> None: ...

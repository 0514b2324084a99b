"""Sequence-to-sequence attention for Keras 3, with the names of `tf.contrib.seq2seq`."""

from __future__ import annotations

from tb_attention_training.seq2seq.basic import BasicDecoder, BasicDecoderOutput
from tb_attention_training.seq2seq.beam import (
    BeamSearchDecoder,
    BeamSearchDecoderOutput,
    BeamSearchDecoderState,
    FinalBeamSearchDecoderOutput,
    tile_batch,
)
from tb_attention_training.seq2seq.decoding import Decoder, dynamic_decode
from tb_attention_training.seq2seq.helpers import (
    CustomHelper,
    GreedyEmbeddingHelper,
    Helper,
    SampleEmbeddingHelper,
    ScheduledEmbeddingTrainingHelper,
    TrainingHelper,
)
from tb_attention_training.seq2seq.layer import (
    AttentionDecoder,
    AttentionDecoderOutput,
    GreedyOutput,
)
from tb_attention_training.seq2seq.location import LocationSensitiveAttention
from tb_attention_training.seq2seq.loss import sequence_loss
from tb_attention_training.seq2seq.mechanism import AttentionMechanism, hardmax
from tb_attention_training.seq2seq.mechanisms import BahdanauAttention, LuongAttention
from tb_attention_training.seq2seq.monotonic import (
    BahdanauMonotonicAttention,
    LuongMonotonicAttention,
    monotonic_attention,
    safe_cumprod,
)
from tb_attention_training.seq2seq.samplers import (
    CustomSampler,
    GreedyEmbeddingSampler,
    SampleEmbeddingSampler,
    Sampler,
    ScheduledEmbeddingTrainingSampler,
    TrainingSampler,
)
from tb_attention_training.seq2seq.states import AlignmentHistory, AttentionWrapperState
from tb_attention_training.seq2seq.wrapper import AttentionWrapper

__all__ = [
    "AlignmentHistory",
    "AttentionDecoder",
    "AttentionDecoderOutput",
    "AttentionMechanism",
    "AttentionWrapper",
    "AttentionWrapperState",
    "BahdanauAttention",
    "BahdanauMonotonicAttention",
    "BasicDecoder",
    "BasicDecoderOutput",
    "BeamSearchDecoder",
    "BeamSearchDecoderOutput",
    "BeamSearchDecoderState",
    "CustomHelper",
    "CustomSampler",
    "Decoder",
    "FinalBeamSearchDecoderOutput",
    "GreedyEmbeddingHelper",
    "GreedyEmbeddingSampler",
    "GreedyOutput",
    "Helper",
    "LocationSensitiveAttention",
    "LuongAttention",
    "LuongMonotonicAttention",
    "SampleEmbeddingHelper",
    "SampleEmbeddingSampler",
    "Sampler",
    "ScheduledEmbeddingTrainingHelper",
    "ScheduledEmbeddingTrainingSampler",
    "TrainingHelper",
    "TrainingSampler",
    "dynamic_decode",
    "hardmax",
    "monotonic_attention",
    "safe_cumprod",
    "sequence_loss",
    "tile_batch",
]

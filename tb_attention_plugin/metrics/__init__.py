"""Statistics of attention maps, computed when a map is recorded, from the unquantised weights.

Every metric sees only the valid region of a map (`query_lengths`, `key_lengths`), except those of
integrity, which look at what lies outside of it.
"""

from tb_attention_plugin.metrics.heads import METRICS, HeadMetrics, head_metrics
from tb_attention_plugin.metrics.integrity import Check, checks
from tb_attention_plugin.metrics.tokens import induction_probe

__all__ = ["METRICS", "Check", "HeadMetrics", "checks", "head_metrics", "induction_probe"]

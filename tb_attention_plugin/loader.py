"""TensorBoard's entry point.

An entry point that fails to import takes TensorBoard down for everybody, and every import here is
paid at every start of every TensorBoard. So this module imports `base_plugin` only; everything else
waits for `load`, whose exceptions TensorBoard catches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorboard.plugins import base_plugin

if TYPE_CHECKING:
    from tb_attention_plugin.plugin import AttentionPlugin


class AttentionLoader(base_plugin.TBLoader):
    """Loads the Attention tab."""

    # TensorBoard does not annotate its base class; its docstrings say what is returned.
    def load(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, context: base_plugin.TBContext
    ) -> AttentionPlugin:
        """Makes the plugin of one TensorBoard.

        Args:
            context: What TensorBoard offers to plugins.

        Returns:
            The plugin.
        """
        from tb_attention_plugin.plugin import AttentionPlugin

        return AttentionPlugin(context)

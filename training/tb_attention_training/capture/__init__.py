"""How attention weights leave a model: by interception while a probe forward is traced."""

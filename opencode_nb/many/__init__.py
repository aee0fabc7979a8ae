"""Many prompts at once: `oc.map` and `oc.amap`."""

"""The machine: devices, processes, memory, signals, caches, files."""

"""Our own processes: how they are started and ended, what each tells about itself."""

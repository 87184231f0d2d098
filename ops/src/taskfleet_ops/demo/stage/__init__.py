"""What the demo stands on: its folder, its database server, its two processes, its TaskQueue. All of it gone when the demo is."""

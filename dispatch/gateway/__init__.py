"""The gateway: websockets of devices on one side, the store on the other. ``server`` performs what ``session`` decides.

None of its state is the only copy: whatever a gateway knows, another can read from the store when the device comes back there.
"""

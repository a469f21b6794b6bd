"""Thousands of devices in one process, as light as they can be: sockets of our own, a handshake and frames made by hand, no task a socket.

frames.py   the handshake and the frames       raw.py      one socket              held.py    sockets of any contender, for memory and push
phone.py    a device that comes back           phones.py   many of them, by order  crowd.py   both kinds as child processes
files.py    how many may be open
watch.py    what a process uses                 truth.py    what must be on screen  verdict.py what must hold, and whether it does
"""

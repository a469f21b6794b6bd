"""The long campaign: contested claims by the million, on a durable store that dies again and again. `python -m campaign --help`.

    __main__.py    options, the bar, the report, the exit status
    campaign.py    rounds one after the other until there were enough, a few of them at once
    rounds.py      one round: a market of its own, its bookings, the race for them, and the last word on each
    race.py        one booking: who claimed it, what each was told, and what is wrong about it
    claimants.py   the processes that claim, and who starts them again
    claimant.py    one of them
    crashes.py     kill -9, by a clock and a seed
    code.py        which engine it is about: a digest of its text
    state.py       what is known so far, in a file: a second start goes on
    report.py      the result in words

Claims go through the claim verb of the real store, from several processes. No memory grows with the number of claims: a round is judged
and dropped, here and in the store.
"""

"""Load tests for an installation, with Locust: `locust -f loadtests --host http://... `.

They speak with the engine only as anybody could: HTTP as the booking service, websockets as devices. Nothing of the engine is imported but
its client. A run ends non-zero when a limit or a promise is broken: exactly one ``won`` a booking, no proposal lost, none delivered twice.

    locustfile.py   what Locust loads: users, options, the run's beginning and end
    bookings.py     BookingUser: the booking service         devices.py    DeviceUser: a provider's device
    market.py       what is set up before                    answers.py    what providers do, after real requests
    scenarios.py    how the load moves with time             ledger.py     what was seen, in every process
    verdict.py      limits and promises, judged at the end
"""

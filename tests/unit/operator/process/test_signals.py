import asyncio
import os
import signal

import pytest

from taskfleet_operator.process.signals import Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_first_signal_asks_to_stop_and_the_second_to_hurry(number: signal.Signals) -> None:
    signals = Signals()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(signals.stop.wait(), 5)
    once = signals.hasten.is_set()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(signals.hasten.wait(), 5)
    asyncio.get_running_loop().remove_signal_handler(number)

    assert once is False

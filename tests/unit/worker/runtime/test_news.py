"""News of many endings is one piece of news."""

import asyncio

from taskfleet_worker.runtime.news import News


async def test_news_is_told_once_a_turn_however_often_there_was_some() -> None:
    told: list[int] = []
    news = News(lambda: told.append(1))

    news()
    news()
    at_once = len(told)
    await asyncio.sleep(0)
    next_turn = len(told)
    news()
    await asyncio.sleep(0)

    assert (at_once, next_turn, len(told)) == (0, 1, 2)

"""A few lines of HTTP to the API server for tests and the kubelet stand-in: not the product's client, which is what is tested."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Api:
    """Plain requests as the bearer of a token."""

    def __init__(self, url: str, *, ca_file: Path, token: str) -> None:
        self._url = url
        self._trust = ssl.create_default_context(cafile=ca_file)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            base_url=self._url,
            headers=self._headers,
            connector=aiohttp.TCPConnector(ssl=self._trust),
            timeout=aiohttp.ClientTimeout(total=30),
            read_bufsize=2**21,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        return await self._request("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return await self._request("POST", path, body=body)

    async def patch(self, path: str, body: Mapping[str, object], *, content_type: str = MERGE) -> dict[str, Any]:
        return await self._request("PATCH", path, body=body, content_type=content_type)

    async def put(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return await self._request("PUT", path, body=body)

    async def delete(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        return await self._request("DELETE", path, body=body)

    async def watch(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Give every event since `resourceVersion` until the stream ends."""
        assert self._session is not None
        endless = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with self._session.get(path, params={**query, "watch": "true"}, timeout=endless) as response:
            async for line in response.content:
                yield json.loads(line)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        assert self._session is not None
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        async with self._session.request(method, path, params=query, data=data, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            if response.status >= 300:
                raise ApiError(response.status, str(answer.get("message")))
            return answer

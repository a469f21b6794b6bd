"""Which connections of which provider are here. Tuples, because almost everybody has one device."""

from collections.abc import Iterator

from dispatch.gateway.link import Link

Key = tuple[str, int]  # market, provider


class Registry:
    """The links of this gateway by provider."""

    def __init__(self) -> None:
        self._links: dict[Key, tuple[Link, ...]] = {}

    def add(self, link: Link) -> None:
        """From now on the provider's messages are looked for on behalf of this link."""
        key = link.market, link.pno
        self._links[key] = (*self._links.get(key, ()), link)

    def remove(self, link: Link) -> None:
        """The link is gone; harmless when it never was here."""
        key = link.market, link.pno
        left = tuple(other for other in self._links.get(key, ()) if other is not link)
        if left:
            self._links[key] = left
        else:
            self._links.pop(key, None)

    def of(self, key: Key) -> tuple[Link, ...]:
        """The links of a provider."""
        return self._links.get(key, ())

    def keys(self, market: str | None = None) -> list[Key]:
        """Every provider who has a link here, or those of one market."""
        return [key for key in self._links if market is None or key[0] == market]

    def __iter__(self) -> Iterator[Link]:
        return (link for links in list(self._links.values()) for link in links)

    def __len__(self) -> int:
        return sum(map(len, self._links.values()))

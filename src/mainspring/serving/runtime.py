"""The router's picture of what is served: pools of workers, and a snapshot of who answers.

A new snapshot takes effect only where its versions are ready: a service's champion goes on answering until
its successor can. So changing versions fails no request, and a version that can't be loaded changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mainspring.domain.model import ModelVersionId
from mainspring.kernel.digests import Digest
from mainspring.serving.pool import Pool
from mainspring.serving.process import ModelSource
from mainspring.serving.requests import Route

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """Who answers for one service right now. Replaced as a whole, never changed.

    `champion` is None before a service's first model is promoted; `candidate` while there is no rollout or
    its version is not ready.
    """

    service: str
    champion: Pool | None
    candidate: Pool | None
    share: float
    is_shadow: bool
    salt: str

    def by_number(self, number: int) -> tuple[str, Pool] | None:
        """The arm that holds a version, by its number."""
        for arm, pool in (("champion", self.champion), ("candidate", self.candidate)):
            if pool is not None and pool.version.number == number:
                return arm, pool
        return None


class Runtime:
    """Follows routing snapshots. Belongs to one event loop."""

    def __init__(
        self,
        source: Callable[[Digest], ModelSource],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._on_change = on_change
        self._routes: dict[str, Route] = {}
        self._arms: dict[str, Arms] = {}
        self._pools: dict[tuple[str, ModelVersionId], Pool] = {}
        self._retiring: set[Pool] = set()
        self._closed = False

    @property
    def services(self) -> list[str]:
        return sorted(self._routes)

    @property
    def routing_version(self) -> int:
        """Grows with every change that this process follows."""
        return sum(route.routing_version for route in self._routes.values())

    def arms(self, service: str) -> Arms | None:
        """Who answers for a service; None if nothing is routed to it."""
        return self._arms.get(service)

    def route(self, service: str) -> Route | None:
        return self._routes.get(service)

    def refusal(self, service: str) -> str | None:
        """Why none of a service's versions may be loaded, if that is so."""
        route = self._routes.get(service)
        return next(iter(route.refused.values()), None) if route else None

    def pools(self) -> list[Pool]:
        return list(self._pools.values())

    def follow(self, routes: Iterable[Route]) -> None:
        """Take over a snapshot: versions are loaded beside those that answer, then swapped in."""
        self._routes = {route.service: route for route in routes}
        for route in self._routes.values():
            for version in route.versions:
                key = (route.service, version.id)
                pool = self._pools.get(key)
                if pool is None or pool.is_closed:
                    if version.id in route.refused:
                        continue
                    pool = Pool(
                        route.service,
                        version,
                        self._source(version.manifest),
                        route.policy,
                        on_change=self._settle,
                    )
                    self._pools[key] = pool
                    pool.start()
                self._retiring.discard(pool)
                pool.unretire()
                pool.follow(route.policy)
        self._settle()

    def ready_versions(self) -> tuple[ModelVersionId, ...]:
        return tuple(sorted({p.version.id for p in self._pools.values() if p.is_ready}))

    def failed_versions(self) -> dict[ModelVersionId, str]:
        """Versions that can't or must not be loaded, with the reason."""
        loaded = {pool.version.id for pool in self._pools.values() if pool.is_ready}
        refused = {
            id_: why
            for route in self._routes.values()
            for id_, why in route.refused.items()
            if id_ not in loaded
        }
        return refused | {
            pool.version.id: pool.failure
            for pool in self._pools.values()
            if pool.failure and not pool.is_ready
        }

    def is_ready(self, service: str) -> bool:
        """Whether a service would answer now."""
        arms = self._arms.get(service)
        pool = arms and (arms.champion or arms.candidate)
        return bool(pool and pool.is_ready)

    @property
    def all_ready(self) -> bool:
        """Whether every routed service would answer now."""
        return all(self.is_ready(service) for service in self._routes)

    async def close(self) -> None:
        """Stop every worker."""
        self._closed = True
        await asyncio.gather(*(pool.close() for pool in [*self._pools.values(), *self._retiring]))

    def _settle(self) -> None:
        """Let each service be answered by what is wanted and ready, and retire what is neither."""
        if self._closed:
            return
        self._arms = {
            service: self._arms_of(route, self._arms.get(service))
            for service, route in self._routes.items()
        }
        used = {
            pool for arms in self._arms.values() for pool in (arms.champion, arms.candidate) if pool
        }
        for key, pool in list(self._pools.items()):
            service, version = key
            route = self._routes.get(service)
            wanted = route is not None and any(v.id == version for v in route.versions)
            if pool.is_closed:
                del self._pools[key]
                self._retiring.discard(pool)
            elif not wanted and pool not in used and pool not in self._retiring:
                self._retiring.add(pool)
                pool.retire()
        self._on_change()

    def _arms_of(self, route: Route, before: Arms | None) -> Arms:
        champion = self._pools.get((route.service, route.champion)) if route.champion else None
        candidate = self._pools.get((route.service, route.candidate)) if route.candidate else None
        if route.champion and (champion is None or not champion.is_ready) and before is not None:
            # Until the champion is ready, whoever answered before goes on, if that one still can.
            standing_in = before.champion
            if standing_in is not None and not standing_in.is_closed and standing_in.is_ready:
                champion = standing_in
        if candidate is not None and not candidate.is_ready and champion is not None:
            candidate = None
        return Arms(
            service=route.service,
            champion=champion,
            candidate=candidate,
            share=route.candidate_share,
            is_shadow=route.is_shadow,
            salt=route.salt,
        )

"""`mainspring demo`."""

import webbrowser
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.cli.demo.stage import Stage
    from mainspring.cli.demo.teller import Teller


@click.command()
@click.option("--exit", "exits", is_flag=True, help="End after the story; else the pages stay up.")
@click.option(
    "--speed",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Hours of the second year per second, while nothing else is going on.",
)
@click.option("--no-browser", is_flag=True, help="Don't open the pages in a browser.")
@pass_session
def demo(session: Session, /, exits: bool, speed: float, no_browser: bool) -> int:
    """Watch the whole loop at work on two years of real data, in a folder of its own.

    A service is declared, trained and deployed by the loops; the world changes and the model goes stale; an
    incident opens, a new model is trained, compared, rolled out and promoted; a broken delivery and a slow
    candidate are turned away. Every claim is checked; the exit code is 1 if one did not come true.

    The folder is --home, by default ./mainspring-demo; each run starts it anew.
    """
    from mainspring.cli.demo.engine_room import EngineRoom
    from mainspring.cli.demo.folder import DEFAULT, lay_out
    from mainspring.cli.demo.teller import Teller

    session.flags.setdefault("home", str(DEFAULT))
    session.flags["url"] = ""
    settings = session.settings
    folder = lay_out(settings.home)
    teller = Teller()
    teller.chapter("A project folder, as you would write it")
    teller.fact(f"{folder.project}: flow.py, mainspring.toml, rides.schema.toml")
    engine = EngineRoom(settings)
    try:
        url = str(engine.wait_until_ready()["url"])
        teller.fact(f"mainspring up: pages at {url}")
        if not no_browser and teller.is_terminal:
            webbrowser.open(url)
        stage = _stage(session, teller, engine, speed, url)
        _tell(stage)
        if not exits:
            _stay(teller, url, engine)
    finally:
        teller.stop_bar()
        engine.stop()
    return 0 if all(claim.held for claim in teller.claims) else 1


def _stage(session: Session, teller: "Teller", engine: object, speed: float, url: str) -> "Stage":
    from mainspring.cli.demo.deliveries import DataTeam
    from mainspring.cli.demo.folder import DemoFolder, all_rides
    from mainspring.cli.demo.stage import Stage
    from mainspring.sdk.remote import RemoteClient

    folder = DemoFolder(home=session.settings.home)
    client = RemoteClient(url)
    rides = all_rides()
    return Stage(
        teller=teller,
        settings=session.settings,
        folder=folder,
        rides=rides,
        engine=engine,  # type: ignore[arg-type]  # an EngineRoom, imported late
        client=client,
        data=DataTeam(client, folder, rides),
        speed=speed,
    )


def _tell(stage: "Stage") -> None:
    from mainspring.cli.demo import ending, renewal, story, trials

    teller = stage.teller
    teller.chapter("The first year of rides, and what is expected of the data")
    story.first_year(stage)
    teller.chapter("The service is declared; the loops see that it has no model")
    story.declare(stage)
    teller.chapter("The second year: demand grows, the model goes stale")
    try:
        incident = story.second_year(stage)
        teller.chapter("Retrained, compared, rolled out, promoted")
        renewal.renewal(stage, incident)
        renewal.error_falls(stage)
        teller.chapter("What must not come in: a broken delivery, a slow candidate")
        idea = trials.an_idea(stage)
        trials.broken_delivery(stage)
        trials.slow_candidate(stage, idea)
        trials.rest_of_the_year(stage)
    finally:
        stage.watching = False
        if stage.town is not None:
            stage.town.stop()
    teller.chapter("Who decided what, and why")
    ending.tell(stage)


def _stay(teller: "Teller", url: str, engine: object) -> None:
    teller.console.print(f"\nThe pages stay up at {url} ; Ctrl-C ends them.", markup=False)
    import time

    try:
        while True:
            time.sleep(1)
            engine.check()  # type: ignore[attr-defined]  # an EngineRoom, imported late
    except KeyboardInterrupt:
        return

import pytest

from mainspring.config import load_settings
from mainspring.kernel.errors import Invalid


@pytest.mark.parametrize("url", ["https://ml.example.org", "http://10.0.0.5:5000/team"])
def test_a_public_url_is_where_clients_reach_the_server(url: str) -> None:
    assert load_settings({"MAINSPRING_PUBLIC_URL": url}).public_url == url


@pytest.mark.parametrize(
    "url", ["ml.example.org", "ftp://a", "https://", "https://u:p@a", "https://a?b", "https://a#b"]
)
def test_a_public_url_must_be_an_address(url: str) -> None:
    with pytest.raises(Invalid, match="public_url"):
        load_settings({}, public_url=url)

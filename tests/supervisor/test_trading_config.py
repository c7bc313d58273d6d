"""The sections about money: one line a mistake, with its file, its table, and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from strategies.trading.terms import FixedCommission, PercentageSlippage
from supervisor.config import Settings, load
from supervisor.errors import SettingsError


def of(text: str, folder: Path) -> Settings:
    path = folder / "stratd.toml"
    path.write_text(text)
    return load({}, file=path)


def test_an_account_and_the_terms_of_paper_reach_the_core_as_they_were_written(tmp_path):
    settings = of(
        '[paper]\ncommission = {model = "fixed", amount = 1}\nslippage = {model = "bps", bps = 2}\n'
        'latency = 0.25\n[accounts.fund]\ncurrency = "EUR"\ncapital = 1000\ntimezone = "Europe/Berlin"\n'
        'day_starts = "-02:30"\nrisk = {max_daily_loss = 50}\n',
        tmp_path,
    )
    paper, fund = settings.paper.terms(), settings.accounts["fund"].terms("fund")
    assert (FixedCommission(amount=1), PercentageSlippage(bps=2)) == (paper.commission, paper.slippage)
    assert 250_000_000 == paper.latency
    assert ("EUR", 1000, "Europe/Berlin", -77400) == (
        fund.currency,
        fund.capital,
        fund.zone,
        fund.day_starts,
    )
    assert 50 == fund.risk["max_daily_loss"]
    assert (False, "", False) == (fund.live, fund.route, settings.live.enabled)


@pytest.mark.parametrize(
    ("text", "named", "allowed"),
    [
        ('[accounts.a]\ncurrency = "usd"', "accounts.a.currency", "usd"),
        ("[accounts.a]\ncapital = 0", "accounts.a.capital", "0"),
        ("[accounts.a]\ncapital = nan", "accounts.a.capital", "must be a number"),
        ('[accounts.a]\ntimezone = "Mars"', "accounts.a.timezone", "IANA"),
        ('[accounts.a]\nday_starts = "25:99"', "accounts.a.day_starts", "25:99"),
        ("[accounts.a]\nrisk = {max_daily_los = 5}", "accounts.a.risk", "max_daily_loss"),
        ("[accounts.a]\nlive = true", "accounts.a", "needs a route"),
        ('[paper]\ncommission = {model = "free"}', "paper.commission", "per_share"),
        ('[paper]\nslippage = {model = "bps", bps = -1}', "paper.slippage", "bps"),
        ("[paper]\nvolume_share = 1.5", "paper.volume_share", "1.5"),
        ('[instruments]\nfile = "/tmp/x.json"', "instruments.file", ".toml"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_table_and_what_is_allowed(tmp_path, text, named, allowed):
    with pytest.raises(SettingsError) as caught:
        of(text + "\n", tmp_path)
    (line,) = caught.value.errors
    assert named in line
    assert allowed in line
    assert "stratd.toml" in line
    assert "\n" not in line

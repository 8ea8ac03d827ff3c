"""How many alerts there were, by camera and rule, from before the first."""

from alert_factory import make_alert

from streamer.alerts.payload import AlertType
from streamer.status.alert_tally import AlertTally
from streamer.web.status import AlertCount


def test_alerts_are_counted_before_the_first_comes():
    tally = AlertTally()
    tally.expect([("gate", "masks"), ("yard", "hats")])
    assert tally.counts() == [
        AlertCount(camera="gate", rule="masks", raised=0, open=0),
        AlertCount(camera="yard", rule="hats", raised=0, open=0),
    ]


def test_what_was_raised_stays_counted_when_its_rule_goes():
    tally = AlertTally()
    alert = make_alert()
    tally.expect([(alert.camera, alert.rule), ("yard", "hats")])
    tally.take(alert)
    tally.expect([])
    here = {"camera": alert.camera, "rule": alert.rule}
    assert tally.counts() == [AlertCount(**here, raised=1, open=1)]
    tally.take(make_alert(type=AlertType.END))
    assert tally.counts() == [AlertCount(**here, raised=1, open=0)]

from slmbatch.report.promise import promised, statement


def test_a_promise_is_never_rounded_up() -> None:
    said = statement(0.99999, 0.004, rows="5 rows", top_tier="openai:x")
    assert said == "with 99.6% certainty at least 99.999% of 5 rows are as openai:x would say"
    assert statement(0.95, 0.07, rows="them", top_tier="t").startswith("with 93% certainty at least 95% of them ")


def test_a_run_without_a_target_promises_nothing() -> None:
    assert promised(None) == []

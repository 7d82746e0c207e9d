"""How long is waited before the same upstream is asked again."""

from gateway.routing import delay_before


def test_retry_after_is_obeyed_to_the_letter_up_to_ten_seconds():
    assert delay_before(1, 3.5) == 3.5
    assert delay_before(1, 10.0) == 10.0
    assert delay_before(1, 10.5) is None


def test_delays_without_retry_after_are_full_jitter_below_a_doubling_bound():
    for retry, bound in [(1, 0.1), (2, 0.2), (3, 0.4), (9, 2.0)]:
        delays = [delay_before(retry, None) for _ in range(300)]
        assert all(0 <= delay <= bound for delay in delays)
        assert max(delays) > bound / 2

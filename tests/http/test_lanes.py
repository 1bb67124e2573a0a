"""Overload: a lane is full of those who are served, not of those who have been."""


def test_one_client_after_the_other_fills_no_lane(instance):
    """With two workers the lane of accounts has one place: it is free when the answer is there."""
    running = instance({"pool.workers": 2, "auth.hash_cost": 1})
    user = running.api().as_("user")
    seen = {user.get("/v1/me").status for _ in range(500)}
    assert seen == {200}

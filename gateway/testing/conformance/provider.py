"""What every provider has to do: answers told as they were said, failures as they were, connections let go."""

from gateway.testing.conformance.provider_answers import AnswerChecks
from gateway.testing.conformance.provider_failures import FailureChecks
from gateway.testing.conformance.provider_traces import TraceChecks


class ProviderConformance(TraceChecks, FailureChecks, AnswerChecks):
    """Runs a provider behind the real pipeline, in front of a real upstream on a loopback socket.

    A provider of another dialect than chat completions declares in `answers` how its upstream says "text", which makes
    most checks possible, and what else its capabilities need.
    """

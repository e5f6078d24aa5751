"""What the operator, and this machine, let the code of one owner do."""

from __future__ import annotations

from dataclasses import dataclass

from definitions.sandbox.machine import examine
from graph_compiler.nodes.network import Network
from graph_compiler.values.errors import NodeError
from platform_core.identity.user_store import FIRST_ADMINISTRATOR
from platform_core.settings import Settings


@dataclass(frozen=True)
class CodeRules:
    """`network` is what code reaches that does not say, `most` the most; trusted code also runs in a weak sandbox."""

    network: Network
    most: Network
    is_trusted: bool

    @classmethod
    def of(cls, settings: Settings, owner: str) -> CodeRules:
        """The rules for an owner's code; who started `up` is their first administrator, and a pod has one run alone."""
        is_trusted = settings.allow_weak_sandbox or settings.launcher == "kubernetes" or owner == FIRST_ADMINISTRATOR
        return cls(Network(settings.code_network), Network(settings.code_network_most), is_trusted)

    def admit(self, asked: Network | None) -> Network:
        """What of the network the code gets. Raises `NodeError`: network_refused, sandbox_weak."""
        if not self.is_trusted and (grave := [gap.value for gap in examine().gaps if gap.is_grave]):
            message = (
                f"this machine does not keep owners' code apart: {'; '.join(grave)}."
                " The operator may allow it nevertheless by HEADRACE_ALLOW_WEAK_SANDBOX"
            )
            raise NodeError("sandbox_weak", message, retryable=False)
        if asked is None:
            return self.most if self.network.exceeds(self.most) else self.network
        if asked.exceeds(self.most):
            message = f"the operator allows code nodes `network: {self.most}` at most (HEADRACE_CODE_NETWORK_MOST)"
            raise NodeError("network_refused", message, retryable=False)
        return asked

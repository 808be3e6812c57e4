"""Matching, average precision by every rule in use, error breakdown and bootstrap."""

from yolodsc.evaluation.metrics.rules import RULES, Rule, adjusted, rules_named
from yolodsc.evaluation.metrics.score import ClassResult, RuleResult, score
from yolodsc.evaluation.metrics.tables import Found, Truth

__all__ = ["RULES", "ClassResult", "Found", "Rule", "RuleResult", "Truth", "adjusted", "rules_named", "score"]

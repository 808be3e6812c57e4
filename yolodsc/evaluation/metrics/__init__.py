"""Matching, average precision by every rule in use, error breakdown and bootstrap."""

from yolodsc.evaluation.metrics.rules import RULES, Rule, adjust_rule, rules_named
from yolodsc.evaluation.metrics.score import ClassResult, RuleResult, score_detections
from yolodsc.evaluation.metrics.tables import DetectionTable, GroundTruth

__all__ = [
    "RULES",
    "ClassResult",
    "DetectionTable",
    "GroundTruth",
    "Rule",
    "RuleResult",
    "adjust_rule",
    "rules_named",
    "score_detections",
]

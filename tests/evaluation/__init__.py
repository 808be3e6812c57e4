"""Tests of datasets, verdict, reports and audits."""

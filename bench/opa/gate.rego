# The twenty rules of bench/rules.py as OPA's users write them: every piece of evidence of a rule's name passed, looked and kept its limit.
package gate

met contains i if {
	some i in numbers.range(0, 19)
	every e in input.evidence { fine(e, i) }
}

fine(e, i) if e.name != sprintf("r%d", [i])

fine(e, _) if {
	e.verdict == "pass"
	e.looked_at > 0
	e.facts.p95 <= 300
}

allow if count(met) == 20

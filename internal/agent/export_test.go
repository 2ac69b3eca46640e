package agent

// HandOver does what the board does when a switchover was accepted for a term,
// with what it knew of that term before it asked the database.
func (a *Agent) HandOver(epoch uint64, target string) bool {
	return a.handOver(epoch, &switchover{id: 1, target: target, by: "a person"})
}

// EndTerm ends the present term, as a person's wish does.
func (a *Agent) EndTerm(cause error) {
	a.mu.Lock()
	end := a.endTerm
	a.mu.Unlock()
	if end != nil {
		end(cause)
	}
}

// FitnessKnown is what a look at the machine reports.
func (a *Agent) FitnessKnown(faults []string) { a.fitnessKnown(faults) }

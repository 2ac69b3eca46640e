package status

import "time"

// SetLimits lets a test reach the limits with few clients and soon. Zero keeps what is there.
func (s *Server) SetLimits(connections int, header, answer, stop time.Duration) {
	if connections > 0 {
		s.limits.connections = connections
	}
	if header > 0 {
		s.limits.header = header
	}
	if answer > 0 {
		s.limits.answer = answer
	}
	if stop > 0 {
		s.limits.stop = stop
	}
}

// ReloadEvery is how often certificate files are looked at.
func (s *Server) ReloadEvery() time.Duration { return s.limits.reload }

// Refused is how many connections were over the limit.
func (s *Server) Refused() uint64 { return s.refused.Load() }

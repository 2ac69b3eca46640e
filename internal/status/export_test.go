package status

import "time"

// StreamLook is how often a stream looks at the agent by itself.
const StreamLook = streamLook

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

// SetStreams lets a test reach the limits of streams with few clients and soon.
func (s *Server) SetStreams(n int, line time.Duration) {
	s.streams = make(chan struct{}, n)
	s.limits.line = line
}

// Streams is how many there are now.
func (s *Server) Streams() int { return len(s.streams) }

// ReloadEvery is how often certificate files are looked at.
func (s *Server) ReloadEvery() time.Duration { return s.limits.reload }

// Refused is how many connections were over the limit.
func (s *Server) Refused() uint64 { return s.refused.Load() }

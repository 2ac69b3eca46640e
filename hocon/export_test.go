package hocon

// ResolveCircles is Resolve, and says how often a substitution was come to while it
// was being evaluated.
func ResolveCircles(l Layers, opts ...ResolveOption) (*Config, int, error) {
	r := newResolver(opts)
	c, err := r.resolve(l)
	return c, r.circles, err
}

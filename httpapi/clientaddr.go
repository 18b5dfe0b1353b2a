package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies decides which peers may tell us the address of the client.
type proxies struct {
	trusted []netip.Prefix
	header  string // "", "x-forwarded-for" or "forwarded"
}

// newProxies reads networks and single addresses ("10.0.0.0/8", "::1").
func newProxies(list []string, header string) (*proxies, error) {
	p := &proxies{header: strings.ToLower(header)}
	switch p.header {
	case "", "x-forwarded-for", "forwarded":
	default:
		return nil, fmt.Errorf("forwarding header %q: want x-forwarded-for or forwarded", header)
	}
	for _, text := range list {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			p.trusted = append(p.trusted, prefix.Masked())
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q: neither an address nor a network", text)
		}
		addr = addr.Unmap()
		p.trusted = append(p.trusted, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return p, nil
}

func (p *proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// client is the address that a request from a trusted peer came from: the first
// hop, walking from the right, that is not itself trusted. Without a usable
// header it is the peer. When both headers are there, none was chosen in the
// configuration, and they differ, one of them may be the client's invention: then
// neither is believed.
func (p *proxies) client(peer netip.Addr, h http.Header) netip.Addr {
	forwardedFor, forwarded := h["X-Forwarded-For"], h["Forwarded"]
	useFor := len(forwardedFor) > 0 && p.header != "forwarded"
	useForwarded := len(forwarded) > 0 && p.header != "x-forwarded-for"
	switch {
	case useFor && useForwarded:
		a := p.walk(peer, forwardedFor, plainHop)
		if b := p.walk(peer, forwarded, forwardedHop); a != b {
			return peer
		}
		return a
	case useFor:
		return p.walk(peer, forwardedFor, plainHop)
	case useForwarded:
		return p.walk(peer, forwarded, forwardedHop)
	default:
		return peer
	}
}

// walk goes from the last element of the last header line to the left. It stops
// at the first untrusted address, and before anything that is not an address.
func (p *proxies) walk(peer netip.Addr, lines []string, hop func(string) (netip.Addr, bool)) netip.Addr {
	last := peer
	for _, v := range slices.Backward(lines) {
		rest := v
		for rest != "" {
			var element string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, element = rest[:cut], rest[cut+1:]
			} else {
				rest, element = "", rest
			}
			addr, ok := hop(strings.TrimSpace(element))
			if !ok {
				return last
			}
			last = addr
			if !p.trusts(addr) {
				return last
			}
		}
	}
	return last
}

// plainHop reads an address with or without port and brackets.
func plainHop(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		if addr, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil {
			return addr.Unmap().WithZone(""), true
		}
	}
	return netip.Addr{}, false
}

// forwardedHop reads the for= pair of one element of RFC 7239.
func forwardedHop(s string) (netip.Addr, bool) {
	for pair := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && strings.EqualFold(name, "for") {
			return plainHop(strings.Trim(value, `"`))
		}
	}
	return netip.Addr{}, false
}

// peerAddr reads the address of a connection as net/http gives it.
func peerAddr(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

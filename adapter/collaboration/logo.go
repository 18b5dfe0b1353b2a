package collaboration

import (
	"bytes"
	"context"
	"encoding/base64"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"strings"

	"portico/adapter"
	"portico/adapter/store"
)

// Limits of pictures: bytes, and pixels before anything is decoded.
const (
	maxLogoBytes  = 2 << 20
	maxLogoPixels = 40_000_000
	maxLogoSide   = 12_000
	logoWidth     = 480
	logoHeight    = 348
)

// ReadLogo reads the text of a logo: base64, with or without "data:...;base64,"
// before it, line breaks allowed; or an http(s) address. Error: Invalid "logo".
func ReadLogo(text string) (data []byte, address string, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, "", nil
	}
	if len(text) > maxLogoBytes*4/3+maxLogoBytes/16 {
		return nil, "", invalid("logo", "logo is larger than 2 MiB")
	}
	if lower := strings.ToLower(text[:min(8, len(text))]); strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://") {
		checked, err := checkWebsite(text)
		if err != nil {
			return nil, "", invalid("logo", "logo is no address")
		}
		return nil, checked, nil
	}
	if rest, ok := strings.CutPrefix(text, "data:"); ok {
		kind, body, found := strings.Cut(rest, ",")
		if !found || !strings.HasPrefix(kind, "image/") || !strings.HasSuffix(kind, ";base64") {
			return nil, "", invalid("logo", "logo is no picture in base64")
		}
		text = body
	}
	text = strings.NewReplacer("\r", "", "\n", "", " ", "", "\t", "").Replace(text)
	data, err = base64.StdEncoding.DecodeString(text)
	if err != nil {
		data, err = base64.RawStdEncoding.DecodeString(text)
	}
	switch {
	case err != nil || len(data) == 0:
		return nil, "", invalid("logo", "logo is no base64")
	case len(data) > maxLogoBytes:
		return nil, "", invalid("logo", "logo is larger than 2 MiB")
	}
	return data, "", nil
}

// newLogo makes the stored form of a logo; nil for none. A picture elsewhere is
// read when that is switched on, else its address is kept as it is.
func (s *Collaborations) newLogo(ctx context.Context, kind string, data []byte, address string) (*store.Logo, error) {
	if address != "" {
		if s.fetch == nil {
			return &store.Logo{Kind: kind, MediaType: address}, nil
		}
		var err error
		if data, err = s.fetch.Fetch(ctx, address); err != nil {
			s.log.WarnContext(ctx, "a logo was not fetched", "error", err)
			return nil, &adapter.Error{Kind: adapter.Invalid, Field: "logo", Text: "the picture at this address cannot be read", Cause: err}
		}
	}
	if data == nil {
		return nil, nil
	}
	picture, err := repaint(data)
	if err != nil {
		return nil, err
	}
	return &store.Logo{Kind: kind, MediaType: "image/png", Data: picture}, nil
}

// repaint decodes a PNG or JPEG and encodes it anew, scaled to fit and centred on
// white, so that nothing of the original file remains.
func repaint(data []byte) ([]byte, error) {
	bad := invalid("logo", "logo is no PNG or JPEG picture that can be read")
	var size func(r *bytes.Reader) (image.Config, error)
	var decode func(r *bytes.Reader) (image.Image, error)
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		size = func(r *bytes.Reader) (image.Config, error) { return png.DecodeConfig(r) }
		decode = func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) }
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		size = func(r *bytes.Reader) (image.Config, error) { return jpeg.DecodeConfig(r) }
		decode = func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) }
	default:
		return nil, bad
	}
	dims, err := size(bytes.NewReader(data))
	switch {
	case err != nil || dims.Width < 1 || dims.Height < 1:
		return nil, bad
	case dims.Width > maxLogoSide || dims.Height > maxLogoSide || dims.Width*dims.Height > maxLogoPixels:
		return nil, invalid("logo", "logo has more than 40 million pixels, or a side of more than 12,000")
	}
	picture, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, bad
	}
	var out bytes.Buffer
	if err := png.Encode(&out, fit(picture)); err != nil {
		return nil, &adapter.Error{Kind: adapter.Internal, Field: "logo", Cause: err}
	}
	return out.Bytes(), nil
}

// fit scales a picture down to the frame, by averaging, and centres it on white.
func fit(picture image.Image) image.Image {
	frame := image.NewRGBA(image.Rect(0, 0, logoWidth, logoHeight))
	draw.Draw(frame, frame.Bounds(), image.White, image.Point{}, draw.Src)
	b := picture.Bounds()
	w, h := b.Dx(), b.Dy()
	if w > logoWidth || h > logoHeight {
		if w*logoHeight > h*logoWidth {
			w, h = logoWidth, max(1, h*logoWidth/w)
		} else {
			w, h = max(1, w*logoHeight/h), logoHeight
		}
	}
	small := image.NewRGBA64(image.Rect(0, 0, w, h))
	for y := range h {
		y0, y1 := b.Min.Y+y*b.Dy()/h, b.Min.Y+max((y+1)*b.Dy()/h, y*b.Dy()/h+1)
		for x := range w {
			x0, x1 := b.Min.X+x*b.Dx()/w, b.Min.X+max((x+1)*b.Dx()/w, x*b.Dx()/w+1)
			var sum [4]uint64
			for yy := y0; yy < y1; yy++ {
				for xx := x0; xx < x1; xx++ {
					r, g, bl, a := picture.At(xx, yy).RGBA()
					sum[0] += uint64(r)
					sum[1] += uint64(g)
					sum[2] += uint64(bl)
					sum[3] += uint64(a)
				}
			}
			n := uint64((y1 - y0) * (x1 - x0))
			put(small, x, y, sum, n)
		}
	}
	at := image.Pt((logoWidth-w)/2, (logoHeight-h)/2)
	draw.Draw(frame, image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))}, small, image.Point{}, draw.Over)
	return frame
}

// put sets one pixel to the mean of n.
func put(to *image.RGBA64, x, y int, sum [4]uint64, n uint64) {
	at := to.PixOffset(x, y)
	for i, v := range sum {
		v /= n
		to.Pix[at+2*i], to.Pix[at+2*i+1] = byte(v>>8), byte(v)
	}
}

// Logo gives the bytes of a picture (L1). Error: NotFound "logo".
func (s *Collaborations) Logo(ctx context.Context, kind, uuid4 string) (data []byte, mediaType string, err error) {
	l, err := s.store.Logo(ctx, kind, uuid4)
	if err != nil {
		return nil, "", adapter.FromStore(err, "logo")
	}
	return l.Data, l.MediaType, nil
}

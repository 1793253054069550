package picture

import (
	"bytes"
	"encoding/binary"
	"image"
)

// jpegHead is what the segments before the pixels of a JPEG tell.
type jpegHead struct {
	// orientation is how the camera was held (Exif 2.3, tag 0x0112).
	orientation orientation
	// bytesPerPixel is what a pixel takes while it is decoded, rounded up. All of a
	// progressive file is kept, in four bytes a sample, until its end.
	bytesPerPixel int
}

const (
	// mostBytesPerPixel is what a pixel takes of a progressive file with four colours that
	// are kept for every pixel: the most there is.
	mostBytesPerPixel = 4 * 5
	// maxScans is how many passes over its pixels a file may make. Ten are usual; each
	// costs time for all pixels, and a few bytes of the file are enough for one.
	maxScans = 64
)

// tooManyScans counts the markers of passes over the pixels, wherever they are: where the
// decoder would find them in a broken file is its own business.
func tooManyScans(raw []byte) bool { return bytes.Count(raw, []byte{0xff, 0xda}) > maxScans }

// readJPEG reads the segments (ITU T.81, annex B). What it cannot read it leaves to the
// decoder to refuse.
func readJPEG(raw []byte) jpegHead {
	head := jpegHead{bytesPerPixel: mostBytesPerPixel}
	for at := 2; at+4 <= len(raw) && raw[at] == 0xff; {
		kind := raw[at+1]
		if kind == 0xff { // fill
			at++
			continue
		}
		size := int(binary.BigEndian.Uint16(raw[at+2:]))
		if size < 2 || at+2+size > len(raw) {
			break
		}
		segment := raw[at+4 : at+2+size]
		switch {
		case kind == 0xe1 && len(segment) > 6 && string(segment[:6]) == "Exif\x00\x00":
			head.orientation = readExif(segment[6:])
		case kind == 0xc0 || kind == 0xc1 || kind == 0xc2:
			head.bytesPerPixel = readFrame(segment, kind == 0xc2)
			return head
		}
		at += 2 + size
	}
	return head
}

// readFrame counts what a pixel takes in bytes: the colours are often kept for every
// second pixel only.
func readFrame(frame []byte, progressive bool) int {
	if len(frame) < 6 || len(frame) < 6+3*int(frame[5]) {
		return mostBytesPerPixel
	}
	var samples, h, v int
	for i := range int(frame[5]) {
		sampling := frame[7+3*i]
		samples += int(sampling>>4) * int(sampling&15)
		h, v = max(h, int(sampling>>4)), max(v, int(sampling&15))
	}
	each := 1
	if progressive {
		each += 4
	}
	return max(1, (samples*each+h*v-1)/max(1, h*v))
}

// readExif finds the orientation in the first directory of a TIFF.
func readExif(tiff []byte) orientation {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	first := int64(order.Uint32(tiff[4:]))
	if first+2 > int64(len(tiff)) {
		return 0
	}
	entries := tiff[first+2:]
	for range order.Uint16(tiff[first:]) {
		if len(entries) < 12 {
			return 0
		}
		if order.Uint16(entries) == 0x0112 {
			return orientation(order.Uint16(entries[8:]))
		}
		entries = entries[12:]
	}
	return 0
}

// orientation is how to turn a picture so that it is upright: 1 to 8 as Exif has it;
// everything else leaves it as it is.
type orientation uint16

// turn is the square picture upright.
func (o orientation) turn(m *image.NRGBA) *image.NRGBA {
	if o < 2 || o > 8 {
		return m
	}
	upright := image.NewNRGBA(m.Rect)
	last := Side - 1
	for y := range Side {
		for x := range Side {
			fromX, fromY := x, y
			if o >= 5 { // rows and columns are exchanged
				fromX, fromY = y, x
			}
			if o == 2 || o == 3 || o == 7 || o == 8 {
				fromX = last - fromX
			}
			if o == 3 || o == 4 || o == 6 || o == 7 {
				fromY = last - fromY
			}
			upright.SetNRGBA(x, y, m.NRGBAAt(fromX, fromY))
		}
	}
	return upright
}

#include "common/pointer.h"

Str
pointer_below(Arena *arena, Str at, Str name)
{
	Buf out = { .arena = arena };
	Str cut = name;

	if (name.n > POINTER_NAME_POINTS)
		cut = str_points_cut(name, POINTER_NAME_POINTS);
	buf_put(&out, at);
	buf_byte(&out, '/');
	for (size_t i = 0; i < cut.n; i++) {
		if (cut.p[i] == '~')
			buf_put(&out, S("~0"));
		else if (cut.p[i] == '/')
			buf_put(&out, S("~1"));
		else
			buf_byte(&out, cut.p[i]);
	}
	if (cut.n < name.n)
		buf_put(&out, S("\xE2\x80\xA6"));
	return buf_str(&out);
}

Str
pointer_item(Arena *arena, Str at, size_t i)
{
	Buf out = { .arena = arena };

	buf_put(&out, at);
	buf_byte(&out, '/');
	buf_i64(&out, (int64_t)i);
	return buf_str(&out);
}

#pragma once

/* Models of the cases. */

#include "common/model.h"

typedef enum Colour { RED, GREEN, BLUE } Colour;
typedef enum Shade { LIGHT, DARK } Shade;

typedef struct Item {
	Uuid id;
	Str name;
	OptStr note;
	Colour colour;
	Money price;
	StrList tags;
	IntList numbers;
	Json extra;
	double weight;
	bool sold;
	int64_t size, rank;
	Instant made_at;
	Str image, code;
} Item;
MODEL_OF(Item);

typedef struct ItemPatch {
	Uuid id;
	OptStr name, note;
	OptMoney price;
	OptEnum colour;
	OptStrList tags;
} ItemPatch;
MODEL_OF(ItemPatch);

typedef enum Order { BY_NAME, BY_NAME_DOWN, BY_AMOUNT } Order;

typedef struct Filter {
	Order order;
	OptStr tag;
	OptInt least;
	OptEnum colour;
} Filter;
MODEL_OF(Filter);

typedef struct Named {
	Uuid id;
	Str name;
} Named;
MODEL_OF(Named);

/* Takes whatever a join gives. */
typedef struct Two {
	OptStr l, r;
} Two;
MODEL_OF(Two);

/* An enum that the database has with other labels. */
typedef struct Shaded {
	Shade colour;
} Shaded;
MODEL_OF(Shaded);

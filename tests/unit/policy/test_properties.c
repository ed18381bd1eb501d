/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"
int main(void)
{
	struct question q = ask("a.b");

	verdict_word(&(struct verdict){ .need = q.port });
	policy_free(make(""));
	return 0;
}

#include "exec/driver.h"

#include "base/embed.h"

struct digest driver_digest(struct str domain, struct str prefix)
{
	struct hasher *h = hasher_new(domain);
	for (size_t i = 0; i < embedded_files_count; i++) {
		struct str path = str_from(embedded_files[i].path);
		if (!str_has_prefix(path, prefix))
			continue;
		hasher_str(h, "path", path);
		hasher_str(h, "text", str_n((const char *)embedded_files[i].data, embedded_files[i].len));
	}
	return hasher_end(h);
}

struct digest driver_base_digest(struct str domain, const struct digest *toolchain, const struct digest *driver)
{
	struct hasher *h = hasher_new(domain);
	hasher_digest(h, "toolchain", toolchain);
	hasher_digest(h, "driver", driver);
	return hasher_end(h);
}

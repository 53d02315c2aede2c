//! What other collectors call the event types that exist out of the box. Pure.
//!
//! GA4's recommended events, Segment's Ecommerce Spec (v2, and its names in v1) and Google Retail's user events, as
//! they are documented. Names that say nothing of an item (`page_view`, a list that was shown) have no place here.

/// Names, normalised, and the type that each means; sorted by name.
const NAMES: [(&str, &str); 33] = [
    ("add_to_cart", "added_to_cart"),
    ("add_to_wishlist", "wishlisted"),
    ("added_product", "added_to_cart"),
    ("begin_checkout", "checkout_started"),
    ("clicked_product", "clicked"),
    ("completed_order", "purchased"),
    ("detail_page_view", "viewed"),
    ("identify", "user_profile"),
    ("order_cancelled", "refunded"),
    ("order_completed", "purchased"),
    ("order_refunded", "refunded"),
    ("product_added", "added_to_cart"),
    ("product_added_to_wishlist", "wishlisted"),
    ("product_clicked", "clicked"),
    ("product_removed", "removed_from_cart"),
    ("product_reviewed", "rated"),
    ("product_viewed", "viewed"),
    ("products_searched", "searched"),
    ("purchase", "purchased"),
    ("purchase_complete", "purchased"),
    ("rate", "rated"),
    ("refund", "refunded"),
    ("remove_from_cart", "removed_from_cart"),
    ("removed_product", "removed_from_cart"),
    ("search", "searched"),
    ("select_item", "clicked"),
    ("started_order", "checkout_started"),
    ("unlike", "unliked"),
    ("view_item", "viewed"),
    ("view_search_results", "searched"),
    ("viewed_product", "viewed"),
    ("wishlist", "wishlisted"),
    ("wishlist_product_added_to_cart", "added_to_cart"),
];

/// Returns what a normalised name means out of the box.
pub(super) fn meaning(name: &str) -> Option<&'static str> {
    NAMES.binary_search_by_key(&name, |(known, _)| known).ok().map(|at| NAMES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventTypes;

    #[test]
    fn every_name_is_sorted_and_means_a_type_that_exists_and_is_none_itself() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| name));
        let types = EventTypes::builtin();
        for (name, meant) in NAMES {
            let found = types.find(name).expect(name);
            assert_eq!(types.spec(found).name, meant, "{name}");
            assert!(types.iter().all(|(_, spec)| spec.name != name), "{name}");
        }
        assert_eq!(types.find("Order Completed"), types.find("purchased"));
        assert_eq!(types.find("page_view"), None);
    }
}

-- The lines of an order are read and written with it, never without: in its own row they cost no
-- second tree, and no second write when they are held.
ALTER TABLE orders ADD COLUMN lines TEXT NOT NULL DEFAULT '[]'; -- in the order in which they were asked for, as JSON
UPDATE orders SET lines = of.lines
FROM (
    SELECT order_id, json_agg(json_build_object(
        'productId', product_id, 'quantity', quantity, 'name', name, 'unitPrice', unit_price, 'hold', hold
    ) ORDER BY line)::text AS lines
    FROM order_line GROUP BY order_id
) AS of
WHERE orders.id = of.order_id;
DROP TABLE order_line;

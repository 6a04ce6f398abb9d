-- The lines of an order are read and written with it, never without: in its own row they cost no
-- second tree, and no second write when they are held.
ALTER TABLE orders ADD COLUMN lines TEXT NOT NULL DEFAULT '[]'; -- in the order in which they were asked for, as JSON
UPDATE orders SET lines = (
    SELECT json_group_array(json_object(
        'productId', product_id, 'quantity', quantity, 'name', name, 'unitPrice', unit_price, 'hold', hold))
    FROM (SELECT * FROM order_line WHERE order_id = orders.id ORDER BY line)
);
DROP TABLE order_line;
